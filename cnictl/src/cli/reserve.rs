//! `cnictl reserve`.

use std::net::IpAddr;
use std::num::NonZeroU32;

use berth_types::{PoolName, ReservationId};
use clap::{ArgGroup, Args, Subcommand};

use super::{ConsentArgs, values};

#[derive(Debug, Subcommand)]
pub(crate) enum ReserveCommand {
    /// Keep addresses of a pool for the pods of a workload.
    Create {
        /// The workload's name, as its pods' annotation berth.dev/reservation has it.
        #[arg(value_name = "NAMESPACE/NAME", value_parser = values::reservation)]
        id: ReservationId,
        /// Where the addresses are from.
        #[arg(long)]
        pool: PoolName,
        #[command(flatten)]
        addresses: GrowArgs,
    },
    /// List all reservations: those of workloads, and those that sticky pools keep for pods.
    List {
        /// Only those with addresses of this pool.
        #[arg(long)]
        pool: Option<PoolName>,
        /// Only those of this Kubernetes namespace.
        #[arg(long)]
        namespace: Option<String>,
    },
    /// Show a reservation and its addresses.
    Show {
        /// Which one: NAMESPACE/NAME, or NAMESPACE/pod/POD/INTERFACE.
        #[arg(value_name = "RESERVATION", value_parser = values::reservation)]
        id: ReservationId,
    },
    /// Keep more addresses for a workload.
    Extend {
        /// Which one.
        #[arg(value_name = "NAMESPACE/NAME", value_parser = values::reservation)]
        id: ReservationId,
        #[command(flatten)]
        addresses: GrowArgs,
    },
    /// Keep the addresses no more; their history stays.
    Delete(WhichArgs),
}

/// Which addresses are to be kept.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["count", "addresses"]))]
pub(crate) struct GrowArgs {
    /// So many that nobody has; of a pool with IPv4 and IPv6, so many of each.
    #[arg(long, value_name = "NUMBER", value_parser = values::count)]
    pub(crate) count: Option<NonZeroU32>,
    /// This address; may be given several times.
    #[arg(
        long = "address",
        value_name = "IP",
        value_parser = berth_types::parse_address
    )]
    pub(crate) addresses: Vec<IpAddr>,
    /// Also an address that somebody holds, who then keeps it until it is released.
    #[arg(long, conflicts_with = "count")]
    pub(crate) held: bool,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Which one: NAMESPACE/NAME, or NAMESPACE/pod/POD/INTERFACE.
    #[arg(value_name = "RESERVATION", value_parser = values::reservation)]
    pub(crate) id: ReservationId,
    /// Also while some of its addresses are held; the holders keep them.
    #[arg(long)]
    pub(crate) held: bool,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}
