//! What can be asked about the traffic of a node.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Where the traffic agent of the node answers.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9455")]
    pub(crate) node: String,
    /// PEM file with the certificate authorities to trust, instead of this machine's.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// File with the agent's token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Print the rates of one second, and end; so it is where the output is no terminal.
    #[arg(long)]
    pub(crate) once: bool,
    /// What the rows are sorted by.
    #[arg(long, value_enum, default_value_t, value_name = "COLUMN")]
    pub(crate) sort: SortBy,
    /// Only rows with all of these words in namespace, pod, interface, container or workload.
    #[arg(long, default_value = "", value_name = "WORDS")]
    pub(crate) filter: String,
}

/// A column to sort by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortBy {
    /// Namespace and pod.
    Name,
    /// Bits received a second.
    #[default]
    Receive,
    /// Bits sent a second.
    Transmit,
    /// Packets a second, both ways.
    Packets,
    /// Bytes received and sent in all.
    Total,
}
