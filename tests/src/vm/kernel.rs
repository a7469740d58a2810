//! Debian's kernel, unpacked by `scripts/setup.sh vm` and never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian;
use crate::process;

/// Where `scripts/setup.sh vm` unpacks it, unless `BERTH_VM_KERNEL` says otherwise.
const FOLDER: &str = "/var/cache/berth/kernel";

/// What the machine needs before it sees this machine's files.
const EARLY: &[&str] = &["virtio_pci", "virtiofs", "overlay"];

/// An unpacked kernel package.
#[derive(Debug)]
pub(super) struct Kernel {
    /// The folder with `boot` and `lib/modules`.
    pub(super) folder: PathBuf,
    /// Its version, as its modules' folder is called.
    pub(super) version: String,
    /// What is booted.
    pub(super) image: PathBuf,
}

impl Kernel {
    /// The newest of the unpacked ones.
    ///
    /// # Panics
    /// When there is none.
    pub(super) fn find() -> Self {
        let folder =
            std::env::var_os("BERTH_VM_KERNEL").map_or_else(|| FOLDER.into(), PathBuf::from);
        let entries = fs::read_dir(folder.join("boot")).into_iter().flatten();
        let names = entries.flatten().map(|entry| entry.file_name());
        let names = names.filter_map(|name| name.into_string().ok());
        let newest = names
            .filter_map(|name| Some(name.strip_prefix("vmlinuz-")?.to_owned()))
            .max();
        let version = newest.unwrap_or_else(|| {
            panic!(
                "no kernel in {}: run `scripts/setup.sh vm`",
                folder.display()
            )
        });
        let image = folder.join("boot").join(format!("vmlinuz-{version}"));
        Self {
            folder,
            version,
            image,
        }
    }

    /// The files of the modules that are needed first, in the order in which they load.
    ///
    /// # Panics
    /// When one is missing.
    pub(super) fn early_modules(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for module in EARLY {
            let mut modprobe = Command::new(debian::require("modprobe", "kmod"));
            modprobe
                .arg("-d")
                .arg(&self.folder)
                .args(["-S", &self.version]);
            let listed = process::output(modprobe.args(["--show-depends", module]));
            let loaded = listed
                .lines()
                .filter_map(|line| line.strip_prefix("insmod "));
            for file in loaded.map(|file| Path::new(file.trim()).to_owned()) {
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        files
    }
}
