//! The command line: what can be said, and nothing of what it does.

mod node;
mod values;

pub(crate) use node::{AdoptArgs, DeadArgs, HereArgs, NodeCommand, RepublishArgs, StoreCommand};

use std::net::IpAddr;
use std::path::PathBuf;

use berth_types::{AddressRange, BlockSize, NodeName, PoolName, VlanId};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ipnetwork::IpNetwork;

/// The operator's hand on Berth: pools and addresses.
#[derive(Debug, Parser)]
#[command(name = "cnictl", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// How results are written.
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 findings or refused, 2 the store could not tell, \
                          64 usage.";

/// How results are written to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people.
    #[default]
    Table,
    /// One JSON document of a stable shape.
    Json,
}

/// Which store is asked.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// embedded:FOLDER or etcd:URL[,URL…]; without it, the configuration file decides.
    #[arg(long, global = true, env = "BERTH_STORE", value_name = "STORE")]
    pub(crate) store: Option<String>,
    /// The configuration file, by default /etc/berth/config.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// etcd: PEM file with the certificate authorities to trust.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) etcd_ca: Option<PathBuf>,
    /// etcd: PEM file with the client's certificate; goes with --etcd-key.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) etcd_cert: Option<PathBuf>,
    /// etcd: PEM file with the certificate's key.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) etcd_key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pools of addresses.
    #[command(subcommand)]
    Pool(PoolCommand),
    /// Addresses, and who holds them.
    #[command(subcommand)]
    Ip(IpCommand),
    /// Nodes, and what they have answered to a store that was set back.
    #[command(subcommand)]
    Node(NodeCommand),
    /// The store itself: closed after it was set back, opened again.
    #[command(subcommand, name = "store")]
    StoreAdmin(StoreCommand),
    /// Take addresses away from whoever holds them.
    Release(ReleaseArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Make a pool.
    Create(CreateArgs),
    /// List all pools.
    List,
    /// Show a pool, its subnets and its blocks.
    Show {
        /// The pool.
        name: PoolName,
    },
    /// Add subnets to a pool.
    Extend(ExtendArgs),
    /// Let a draining pool hand out addresses again, as after a deletion that was interrupted.
    Resume {
        /// The pool.
        name: PoolName,
    },
    /// Delete a pool that nobody uses.
    Delete(DeleteArgs),
}

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
pub(crate) struct CreateArgs {
    /// The pool's name.
    pub(crate) name: PoolName,
    #[command(flatten)]
    pub(crate) subnets: SubnetArgs,
    /// Addresses per block, a power of two up to 256.
    #[arg(long, value_name = "ADDRESSES", default_value = "16", value_parser = values::block_size)]
    pub(crate) block_size: BlockSize,
}

#[derive(Debug, Args)]
pub(crate) struct ExtendArgs {
    /// The pool's name.
    pub(crate) name: PoolName,
    #[command(flatten)]
    pub(crate) subnets: SubnetArgs,
}

/// Subnets with options, each of which belongs to the subnet that contains it.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SubnetArgs {
    /// A subnet; may be given several times.
    #[arg(long = "subnet", required = true, value_name = "CIDR", value_parser = values::cidr)]
    pub(crate) subnets: Vec<IpNetwork>,
    /// The gateway of the subnet that contains it.
    #[arg(long = "gateway", value_name = "IP", value_parser = berth_types::parse_address)]
    pub(crate) gateways: Vec<IpAddr>,
    /// The part of the subnet around it that is handed out.
    #[arg(long = "range", value_name = "FIRST-LAST")]
    pub(crate) ranges: Vec<AddressRange>,
    /// A part that is not handed out: FIRST-LAST, an address or a CIDR.
    #[arg(long = "exclude", value_name = "RANGE")]
    pub(crate) excludes: Vec<AddressRange>,
    /// The 802.1Q VLAN of all these subnets.
    #[arg(long, value_name = "ID", value_parser = values::vlan)]
    pub(crate) vlan: Option<VlanId>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The pool's name.
    pub(crate) name: PoolName,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
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
    /// Also free addresses that were held before.
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

/// What must be said before something is destroyed.
#[derive(Debug, Args)]
pub(crate) struct ConsentArgs {
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Show what would be done, and do nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// Whether to go on after a plan was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Ask on the terminal.
    Ask,
    /// Go on.
    Given,
    /// Stop there.
    DryRun,
}

impl ConsentArgs {
    /// What the flags say.
    pub(crate) const fn consent(&self) -> Consent {
        match self {
            Self { dry_run: true, .. } => Consent::DryRun,
            Self { yes: true, .. } => Consent::Given,
            _ => Consent::Ask,
        }
    }
}

/// The completion script for `shell`.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cnictl", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
