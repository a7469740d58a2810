//! Children that die with the test, and work done in another network namespace.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::panic;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

/// Has the kernel kill the child when the thread that starts it ends.
pub fn dies_with_this_thread(command: &mut Command) {
    before_exec(command, || {
        set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from)
    });
}

/// Has the child begin in the network namespace at `path`.
///
/// # Panics
/// When there is none.
pub fn begins_in(command: &mut Command, path: &Path) {
    let namespace = open(path);
    before_exec(command, move || {
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
    });
}

/// Runs `body` on a fresh thread in the network namespace at `path` and returns its answer.
///
/// # Panics
/// If there is no such namespace, or `body` panics.
pub fn run_in<T: Send>(path: &Path, body: impl FnOnce() -> T + Send) -> T {
    let namespace = open(path);
    on_fresh_thread(|| {
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET).expect("enter the namespace");
        body()
    })
}

/// Runs `body` on a thread of its own, so that what it does to its namespaces ends with it.
///
/// # Panics
/// If `body` panics.
pub fn on_fresh_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(body).join())
        .unwrap_or_else(|cause| panic::resume_unwind(cause))
}

/// Has the child run `hook`, which makes one system call and allocates nothing.
fn before_exec(
    command: &mut Command,
    hook: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    #[expect(
        unsafe_code,
        reason = "only a forked child can change itself before exec"
    )]
    // SAFETY: both hooks in this module do nothing but one system call, which is sound between
    // fork and exec even when another thread of the parent holds a lock.
    unsafe {
        command.pre_exec(hook);
    }
}

fn open(path: &Path) -> File {
    File::open(path).unwrap_or_else(|e| panic!("open the namespace {}: {e}", path.display()))
}
