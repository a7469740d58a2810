//! Programs that come from Debian packages. A missing one fails the test and names its package.

use std::path::{Path, PathBuf};

/// Where Debian puts programs, whatever `PATH` the test was started with.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where `containernetworking-plugins` puts the reference CNI plugins.
pub const CNI_PLUGINS: &str = "/usr/lib/cni";

/// The full path of `program`, which `package` installs.
///
/// # Panics
/// When it is not installed; the message is the command that installs it.
pub fn require(program: &str, package: &str) -> PathBuf {
    let found = PATH
        .split(':')
        .map(|folder| Path::new(folder).join(program))
        .find(|p| p.is_file());
    found.unwrap_or_else(|| missing(program, package))
}

/// The full path of the reference CNI plugin called `name`.
///
/// # Panics
/// When `containernetworking-plugins` is not installed.
pub fn require_cni_plugin(name: &str) -> PathBuf {
    let path = Path::new(CNI_PLUGINS).join(name);
    if path.is_file() {
        path
    } else {
        missing(name, "containernetworking-plugins")
    }
}

fn missing(program: &str, package: &str) -> ! {
    panic!(
        "{program} is not installed: run scripts/setup.sh, \
         or `apt-get install --no-install-recommends {package}`"
    )
}
