//! A virtual machine with Debian's kernel, for what a test machine's own may lack: 802.1Q
//! sub-interfaces, bonds, netem, the kernel's Open vSwitch.
//!
//! It sees this machine's files, and writes to memory; it has no network but the namespaces that
//! its tests make, and its processor is emulated, so its timings mean nothing. Both its processes
//! die with the thread that started it.

mod image;
mod kernel;
pub mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::debian;
use crate::netns::mortal;
use crate::plugin::target_dir;
use crate::process::Daemon;
use crate::scratch::Scratch;
use kernel::Kernel;

/// The tag of the shared files, as the machine mounts them.
const SHARE: &str = "host";
/// Memory of the machine; the files it writes are in it as well.
const MEMORY: &str = "1536M";
/// What follows the output: the exit code.
const EXIT: &str = "berth-vm-exit:";

/// Shows this machine's files read-only at `$0`, with the folder of the programs in `$1`, which may
/// be on another file system, and shares that by the socket `$2`. No mount is seen outside.
const SHARE_FILES: &str = r#"
set -e
mount --bind / "$0"
mount --bind "$1" "$0$1"
mount -o remount,bind,ro "$0"
exec "$3" --socket-path="$2" -o source="$0" -o cache=always -o sandbox=chroot --rlimit-nofile=0
"#;

/// What a command in the machine came to.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; `None` when it did not come to its end.
    pub code: Option<i32>,
    /// All that it printed.
    pub output: String,
    /// What the kernel said meanwhile.
    pub console: String,
}

/// Boots a machine, runs `command` in it with bash as root, and answers when it is off again.
///
/// # Panics
/// When a program, a package or the kernel is missing, or the machine is not off after `within`.
pub fn run(command: &str, within: Duration) -> Ran {
    let scratch = Scratch::new("vm");
    let kernel = Kernel::find();
    let initramfs = image::build(&scratch, &kernel, command);
    let socket = scratch.join("fs");
    let mut files = share(&scratch, &socket);
    files.wait_ready(Duration::from_secs(10), || socket.exists());

    let (console, output) = (scratch.join("console"), scratch.join("output"));
    let mut qemu = mortal(debian::require("qemu-system-x86_64", "qemu-system-x86"));
    hardware(&mut qemu, &socket);
    qemu.arg("-kernel").arg(&kernel.image);
    qemu.arg("-initrd").arg(initramfs);
    qemu.args([
        "-append",
        "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off",
    ]);
    for log in [&console, &output] {
        qemu.arg("-serial").arg(format!("file:{}", log.display()));
    }
    let mut machine = Daemon::start(&mut qemu, &scratch.join("qemu.log"));
    let off = crate::wait::becomes_true(within, || !machine.lives());
    let ran = Ran::read(&output, &console);
    assert!(
        off,
        "the virtual machine was not off after {within:?}; its console:\n{}\nits output:\n{}",
        ran.console, ran.output
    );
    assert!(
        ran.code.is_some(),
        "the virtual machine ended without running its command:\n{}{}\n{}",
        machine.log(),
        ran.console,
        ran.output
    );
    ran
}

impl Ran {
    fn read(output: &Path, console: &Path) -> Self {
        let read = |path: &Path| {
            let bytes = fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\r', "")
        };
        let (output, console) = (read(output), read(console));
        let (output, code) = match output.rsplit_once(EXIT) {
            Some((before, code)) => (before.to_owned(), code.trim().parse().ok()),
            None => (output, None),
        };
        Self {
            code,
            output,
            console,
        }
    }
}

/// The daemon that shares this machine's files with the virtual one.
fn share(scratch: &Scratch, socket: &Path) -> Daemon {
    let root = scratch.join("root");
    fs::create_dir(&root).expect("make a folder");
    let mut unshare = mortal(debian::require("unshare", "util-linux"));
    unshare.args(["--mount", "--propagation=private"]);
    unshare.arg(debian::require("bash", "bash"));
    unshare.args(["-c", SHARE_FILES]).arg(&root);
    unshare.arg(target_dir()).arg(socket).arg(virtiofsd());
    Daemon::start(&mut unshare, &scratch.join("virtiofsd.log"))
}

fn virtiofsd() -> PathBuf {
    let found = ["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd"];
    let found = found.iter().map(PathBuf::from).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("virtiofsd is not installed: run `scripts/setup.sh vm`, or install qemu-system-common or virtiofsd")
    })
}

/// Emulated throughout: it works wherever the tests do, also inside another virtual machine.
fn hardware(qemu: &mut Command, socket: &Path) {
    let memory = format!("memory-backend-memfd,id=memory,size={MEMORY},share=on");
    let chardev = format!("socket,id=files,path={}", socket.display());
    let device = format!("vhost-user-fs-pci,chardev=files,tag={SHARE},queue-size=1024");
    qemu.args(["-nodefaults", "-no-user-config", "-no-reboot"])
        .args(["-display", "none", "-monitor", "none"])
        .args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"])
        .args(["-m", MEMORY, "-object", &memory])
        .args(["-numa", "node,memdev=memory"])
        .args(["-chardev", &chardev, "-device", &device]);
}
