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
