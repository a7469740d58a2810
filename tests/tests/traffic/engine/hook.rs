//! How interfaces are counted where nothing says otherwise.

use nix::libc;
use traffic_agent::kernel::bpf::{self, Hook};

/// `lo`, which every namespace has.
const LOOPBACK: u32 = 1;

/// What the agent comes to by itself: TCX, or on a kernel without it, as before Linux 6.6, clsact.
pub(crate) fn hook() -> &'static str {
    match bpf::attached(LOOPBACK, Hook::Ingress) {
        Ok(_) => "tcx",
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => "clsact",
        Err(error) => panic!("ask for the programs of an interface (run as root): {error}"),
    }
}
