//! What can be said about nodes and about the whole store.

use std::path::PathBuf;

use berth_types::{NetworkName, NodeName};
use clap::{Args, Subcommand};

use super::ConsentArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Show whether the store is closed, and which nodes it waits for.
    Status,
    /// Stop every allocation, as before clients return to a store restored from a backup.
    Close {
        /// Why, in a sentence.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Let nodes allocate again, once every one of them has answered.
    Open(ConsentArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// List the nodes that the store knows.
    List,
    /// Show one node.
    Show {
        /// The node.
        name: NodeName,
    },
    /// On a node: write what lives on it into a store that was set back.
    Republish(RepublishArgs),
    /// On a node: take its name over from a machine that is gone, or was this one before.
    Adopt(AdoptArgs),
    /// Say that a node will never answer: its containers are certainly gone.
    Dead(DeadArgs),
}

/// Which node this is.
#[derive(Debug, Args)]
pub(crate) struct HereArgs {
    /// The node's name, by default the host's.
    #[arg(long = "node", value_name = "NAME")]
    pub(crate) name: Option<NodeName>,
    /// Where the plugin keeps what survives a reboot.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/berth")]
    pub(crate) state_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RepublishArgs {
    #[command(flatten)]
    pub(crate) here: HereArgs,
    /// Where the plugin keeps its records of interfaces.
    #[arg(long, value_name = "FOLDER", default_value = "/run/berth")]
    pub(crate) run_dir: PathBuf,
    /// Only attachments of this network, where the node's networks have several stores; may be
    /// given several times.
    #[arg(long = "network", value_name = "NAME")]
    pub(crate) networks: Vec<NetworkName>,
    /// Answer although some addresses are others' in the store: each of them is yours to settle.
    #[arg(long)]
    pub(crate) leave_conflicts: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    #[command(flatten)]
    pub(crate) here: HereArgs,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DeadArgs {
    /// The node.
    pub(crate) name: NodeName,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}
