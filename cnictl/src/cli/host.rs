//! What can be asked about this host.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values;

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// A network configuration, or the folder of them.
    #[arg(long, value_name = "FILE|FOLDER", default_value = "/etc/cni/net.d")]
    pub(crate) conf: PathBuf,
    /// Where the runtime looks for plugins; may be given several times.
    #[arg(
        long = "bin-dir",
        value_name = "FOLDER",
        default_value = "/opt/cni/bin"
    )]
    pub(crate) bin_dirs: Vec<PathBuf>,
    /// How long one look at the host may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = values::patience)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The network configuration, or the folder of them when only one is of berth.
    #[arg(long, value_name = "FILE", default_value = "/etc/cni/net.d")]
    pub(crate) conf: PathBuf,
    /// The pod's namespace.
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "args")]
    pub(crate) namespace: Option<String>,
    /// The pod's name.
    #[arg(long, value_name = "NAME", conflicts_with = "args")]
    pub(crate) pod: Option<String>,
    /// The interface in the container.
    #[arg(long, value_name = "NAME", default_value = "eth0")]
    pub(crate) ifname: String,
    /// An annotation of the pod; may be given several times.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = values::annotation)]
    pub(crate) annotations: Vec<(String, String)>,
    /// `CNI_ARGS` as a runtime would set it.
    #[arg(long, value_name = "KEY=VALUE;...")]
    pub(crate) args: Option<String>,
}
