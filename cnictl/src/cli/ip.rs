//! `cnictl ip` and `cnictl release`.

use std::net::IpAddr;

use berth_types::{NodeName, PoolName};
use clap::{Args, Subcommand};

use super::ConsentArgs;

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

#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The addresses.
    #[arg(required = true, value_name = "IP", value_parser = berth_types::parse_address)]
    pub(crate) addresses: Vec<IpAddr>,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}
