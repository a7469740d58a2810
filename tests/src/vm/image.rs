//! What the machine boots from: a busybox and a few modules, which hand over to this machine's
//! files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::kernel::Kernel;
use super::{EXIT, SHARE};
use crate::debian;
use crate::plugin::target_dir;
use crate::process;
use crate::scratch::Scratch;

/// Loads the modules in their order, and puts memory over the shared files.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module" || echo "berth-vm: $module does not load"; done
mount -t virtiofs -o ro SHARE /host || { echo "berth-vm: no shared files"; poweroff -f; }
mount -t tmpfs memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work root /root
umount /proc
mount --move /dev /root/dev
mount -t tmpfs run /root/run
mkdir /root/run/vm
cp /command /settle /root/run/vm
exec switch_root /root /bin/bash /run/vm/settle
"#;

/// The machine's first process from then on. The modules are found where the kernel looks, so that
/// it loads by itself what a test asks for.
const SETTLE: &str = r#"
export PATH=DEBIAN TMPDIR=/run/vm/tmp HOME=/root BERTH_BIN_DIR=PROGRAMS
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm "$TMPDIR"
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
mkdir -p /lib/modules
ln -sfn FOLDER/lib/modules/VERSION /lib/modules/VERSION
echo /sbin/modprobe > /proc/sys/kernel/modprobe
ip link set lo up
cd /run/vm
bash /run/vm/command < /dev/null > /dev/ttyS1 2>&1
echo "EXIT$?" > /dev/ttyS1
busybox stty -F /dev/ttyS1 drain 2> /dev/null
busybox poweroff -f
"#;

/// Writes the initial file system with `command` in it.
///
/// # Panics
/// When a program or a module is missing.
pub(super) fn build(scratch: &Scratch, kernel: &Kernel, command: &str) -> PathBuf {
    let root = scratch.join("initramfs");
    for folder in ["bin", "modules", "proc", "dev", "host", "memory", "root"] {
        fs::create_dir_all(root.join(folder)).expect("make a folder");
    }
    let busybox = debian::require("busybox", "busybox-static");
    fs::copy(&busybox, root.join("bin/busybox")).expect("copy busybox");
    for (number, file) in kernel.early_modules().iter().enumerate() {
        let to = root.join(format!("modules/{number:02}.ko"));
        fs::copy(file, to).expect("copy a module");
    }
    write(&root.join("init"), &INIT.replace("SHARE", SHARE));
    write(&root.join("command"), command);
    let settle = SETTLE
        .replace("DEBIAN", debian::PATH)
        .replace("PROGRAMS", &target_dir().display().to_string())
        .replace("FOLDER", &kernel.folder.display().to_string())
        .replace("VERSION", &kernel.version)
        .replace("EXIT", EXIT);
    write(&root.join("settle"), &settle);
    let packed = scratch.join("initramfs.cpio");
    let mut pack = Command::new(debian::require("sh", "dash"));
    pack.args([
        "-c",
        r#"cd "$0" && "$2" find . | "$2" cpio -o -H newc > "$1" 2> /dev/null"#,
    ]);
    process::output(pack.arg(&root).arg(&packed).arg(busybox));
    packed
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("write a file of the initial file system");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("make it executable");
}
