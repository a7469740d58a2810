//! `cnictl ip` and `cnictl release`.

use std::net::IpAddr;
use std::path::PathBuf;

use berth_types::{NodeName, PoolName};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{ConsentArgs, values};

#[derive(Debug, Subcommand)]
pub(crate) enum IpCommand {
    /// List the addresses that are held.
    List(ListArgs),
    /// Show one address: who holds it, and who held it.
    Show {
        /// The address.
        #[arg(value_parser = berth_types::parse_address)]
        address: IpAddr,
    },
    /// List who held an address, newest first, as far as anything remembers.
    History {
        /// The address.
        #[arg(value_parser = berth_types::parse_address)]
        address: IpAddr,
        #[command(flatten)]
        log: LogArgs,
    },
    /// Tell who held an address at one moment; exit code 2 when nothing tells.
    Who {
        /// The address.
        #[arg(value_parser = berth_types::parse_address)]
        address: IpAddr,
        /// The moment with its zone, as 2026-11-20T03:14:00Z; by default now.
        #[arg(long, value_name = "TIME", value_parser = values::moment)]
        at: Option<Timestamp>,
        #[command(flatten)]
        log: LogArgs,
    },
    /// The same as `cnictl release`.
    Release(ReleaseArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only addresses of this pool.
    #[arg(long)]
    pub(crate) pool: Option<PoolName>,
    /// Only addresses held on this node.
    #[arg(long)]
    pub(crate) node: Option<NodeName>,
    /// Only addresses held by pods of this Kubernetes namespace.
    #[arg(long)]
    pub(crate) namespace: Option<String>,
    /// Also addresses that nobody holds: those that were held before, and those that are kept.
    #[arg(long, conflicts_with_all = ["node", "namespace"])]
    pub(crate) all: bool,
}

/// The log of changes that each node keeps.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Read what this node itself wrote down in the last 30 days.
    #[arg(long)]
    pub(crate) node: bool,
    /// Where this node keeps its state.
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "/var/lib/berth",
        requires = "node"
    )]
    pub(crate) state_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The addresses.
    #[arg(required = true, value_name = "IP", value_parser = berth_types::parse_address)]
    pub(crate) addresses: Vec<IpAddr>,
    /// Where this machine keeps its state. If it is the node that held an address, its own log
    /// gets the change.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/berth")]
    pub(crate) state_dir: PathBuf,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}
