//! The command line, and the file that says the same.

mod file;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ipnetwork::IpNetwork;

pub use file::{FileError, merged};

/// Counts the traffic of every container of this node.
#[derive(Debug, Parser)]
#[command(name = "traffic-agent", version, max_term_width = 100)]
pub struct Cli {
    /// How it counts.
    #[command(flatten)]
    pub options: Options,
    /// What to do; `run` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Count until SIGTERM. What is attached stays, and counts on.
    Run,
    /// Say how the counting goes.
    Status,
    /// Show all counters once.
    Snapshot(SnapshotArgs),
    /// Remove every program, map and pin, and prove that none is left.
    Uninstall,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// How the counters are shown.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// How they are written.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// How results are written to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

/// How much is told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Bytes and packets.
    Min,
    /// By where the other end is.
    #[default]
    Default,
    /// By protocol and family as well.
    Detail,
}

/// Which hooks are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookChoice {
    /// TCX, then clsact, then the devices' own counters.
    #[default]
    Auto,
    /// TCX, or the devices' own counters.
    Tcx,
    /// clsact, or the devices' own counters.
    Clsact,
    /// The devices' own counters.
    Device,
}

/// Where in the row of an interface's programs ours stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttachOrder {
    /// First: what others drop or redirect is counted.
    #[default]
    Head,
    /// Last: what others take is not.
    Tail,
}

/// Which pods' containers are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Containers {
    /// Those with two or more at once: nobody else pays.
    #[default]
    Auto,
    /// All.
    All,
    /// None.
    Off,
}

/// How it counts. Each may stand in the file as well, under the same name.
#[derive(Clone, Debug, Default, Args, serde::Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Options {
    /// A TOML file with the options that are not on the command line; by default
    /// /etc/berth/traffic.toml, when that is there.
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The plugin's `runDir`, by default /run/berth.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub run_dir: Option<PathBuf>,
    /// Where pins are kept, by default /sys/fs/bpf.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub bpffs: Option<PathBuf>,
    /// Where the sums are kept over a reboot, by default /var/lib/berth.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// The node's name, by default the host's.
    #[arg(long, global = true, value_name = "NAME")]
    pub node: Option<String>,
    /// How much is told apart, by default `default`.
    #[arg(long, global = true, value_enum)]
    pub level: Option<Level>,
    /// Look at the pods' TCP: retransmits, connections, round-trip times, and segments with RST.
    #[arg(long, global = true, num_args = 0..=1, default_missing_value = "true")]
    pub tcp: Option<bool>,
    /// Which pods' containers are told apart, by default `auto`.
    #[arg(long, global = true, value_enum)]
    pub containers: Option<Containers>,
    /// The runtime's CRI socket, or `none`; by default /run/containerd/containerd.sock, when that is
    /// there.
    #[arg(long, global = true, value_name = "URL")]
    pub cri: Option<String>,
    /// The cgroup below which pods are looked for, by default the root.
    #[arg(long, global = true, value_name = "PATH")]
    pub cgroup: Option<PathBuf>,
    /// Prefixes of pods and services, anywhere in the clusters.
    #[arg(long, global = true, value_name = "CIDR", value_delimiter = ',')]
    pub cluster_cidr: Option<Vec<IpNetwork>>,
    /// Which hooks are tried, by default `auto`.
    #[arg(long, global = true, value_enum)]
    pub hook: Option<HookChoice>,
    /// Where among other programs, by default `head`.
    #[arg(long, global = true, value_enum)]
    pub attach_order: Option<AttachOrder>,
    /// For how many seconds an interface or container that has ended is shown, by default 120.
    #[arg(long, global = true, value_name = "SECONDS")]
    pub show_ended: Option<u64>,
    /// Where metrics and page are served, by default 127.0.0.1:9455. Any address that is not of a
    /// loopback interface needs TLS and a token.
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Names that clients know this node by, besides its addresses.
    #[arg(long, global = true, value_name = "HOST", value_delimiter = ',')]
    pub allow_host: Option<Vec<String>>,
    /// PEM file with the server's certificate; goes with --tls-key.
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's key.
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// File with the token that a client must know.
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Measure for a second, once in so many seconds and at least 10, how often and for how long the
    /// programs run. Each run takes some 20 ns more meanwhile, other people's too; by default never.
    #[arg(long, global = true, value_name = "SECONDS")]
    pub sample_programs: Option<u64>,
    /// Most series of pods, containers and workloads, by default 60000.
    #[arg(long, global = true, value_name = "NUMBER")]
    pub max_series: Option<usize>,
    /// Serve cAdvisor's network metrics at /metrics/cadvisor.
    #[arg(long, global = true, num_args = 0..=1, default_missing_value = "true")]
    pub cadvisor: Option<bool>,
}

/// The script that completes the command line in `shell`.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "traffic-agent", &mut script);
    script
}
