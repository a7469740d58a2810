//! The command line: what can be said, and nothing of what it does.

mod consent;
mod host;
mod ip;
mod node;
mod pool;
mod reserve;
mod top;
pub(crate) mod values;

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use consent::{Consent, ConsentArgs};
pub(crate) use host::{DoctorArgs, ExplainArgs};
pub(crate) use ip::{IpCommand, ListArgs, LogArgs, ReleaseArgs};
pub(crate) use node::{AdoptArgs, DeadArgs, HereArgs, NodeCommand, RepublishArgs, StoreCommand};
pub(crate) use pool::{
    CreateArgs, DeleteArgs, ExcludeArgs, PoolCommand, SetArgs, SettingsArgs, StateArgs, SubnetArgs,
};
pub(crate) use reserve::{GrowArgs, ReserveCommand, WhichArgs};
pub(crate) use top::{SortBy, TopArgs};

/// The operator's hand on Berth: pools, addresses, reservations.
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
                          or doctor found a failure, 64 usage.";

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
    /// Addresses that are kept for somebody.
    #[command(subcommand)]
    Reserve(ReserveCommand),
    /// Nodes, and what they have answered to a store that was set back.
    #[command(subcommand)]
    Node(NodeCommand),
    /// The store itself: closed after it was set back, opened again.
    #[command(subcommand, name = "store")]
    StoreAdmin(StoreCommand),
    /// Take addresses away from whoever holds them.
    Release(ReleaseArgs),
    /// Show what an ADD would do on this host, without doing it.
    Explain(ExplainArgs),
    /// Test whether this host can serve its networks, and say what to do where it cannot.
    Doctor(DoctorArgs),
    /// Show who carries how much traffic on a node.
    Top(TopArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
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
