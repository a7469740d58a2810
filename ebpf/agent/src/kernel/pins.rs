//! The pins of links: `links/<slot>-<generation>-<way>`.

use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use super::bpf;
use super::fault::checkpoint;
use super::load::Way;

/// Whose link a pin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PinName {
    /// The slot it counts into.
    pub slot: u32,
    /// The slot's generation; for the slot of the overflow, a number of the interface's own.
    pub generation: u64,
    /// What it counts.
    pub way: Way,
}

/// A pinned link as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Whose.
    pub name: PinName,
    /// The link's number.
    pub link: u32,
    /// The program's.
    pub program: u32,
    /// The interface; 0 when it is gone.
    pub ifindex: u32,
}

impl PinName {
    /// Its path below the folder of this version.
    pub fn path(&self, folder: &Path) -> PathBuf {
        let Self {
            slot,
            generation,
            way,
        } = self;
        folder
            .join("links")
            .join(format!("{slot}-{generation}-{}", way.name()))
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let parsed = Self {
            slot: parts.next()?.parse().ok()?,
            generation: parts.next()?.parse().ok()?,
            way: match parts.next()? {
                "receive" => Way::Receive,
                "transmit" => Way::Transmit,
                _ => return None,
            },
        };
        parts.next().is_none().then_some(parsed)
    }
}

/// Every pinned link below `folder`. A file of another name is somebody else's.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(folder: &Path) -> io::Result<Vec<Pin>> {
    let mut pins = Vec::new();
    for entry in fs::read_dir(folder.join("links"))? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().and_then(PinName::parse) else {
            continue;
        };
        pins.extend(look(folder, name)?);
    }
    Ok(pins)
}

/// One pinned link; `None` when there is none.
///
/// # Errors
/// The kernel's.
pub fn look(folder: &Path, name: PinName) -> io::Result<Option<Pin>> {
    let opened = match bpf::open(&name.path(folder)) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = bpf::link(opened.as_fd())?;
    Ok(Some(Pin {
        name,
        link: found.id,
        program: found.program,
        ifindex: found.ifindex,
    }))
}

/// Removes a pin, and with it the link, unless somebody else holds that. Nothing happens without one.
///
/// # Errors
/// The kernel's.
pub fn remove(folder: &Path, name: PinName) -> io::Result<()> {
    let path = name.path(folder);
    if !path.exists() {
        return Ok(());
    }
    checkpoint("unpin");
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes all pins of one version, maps and links, also when some are gone already, and answers how
/// many there were.
///
/// # Errors
/// The kernel's; also when there is a folder that no version makes.
pub fn remove_all(folder: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for folder in [folder.join("links"), folder.to_owned()] {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                continue;
            }
            checkpoint("remove-former");
            fs::remove_file(entry.path())?;
            removed += 1;
        }
        fs::remove_dir(&folder)?;
    }
    Ok(removed)
}
