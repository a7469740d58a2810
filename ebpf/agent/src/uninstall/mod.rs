//! Removing every trace from the kernel, and looking whether one is left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aya::programs::loaded_programs;

use crate::decide;
use crate::kernel::hooks::{Hooks as _, Kernel, Manner};
use crate::kernel::{bpf, maps, pins};
use crate::ledger::{Ledger, Pinned};
use crate::model::Mode;

/// How long the kernel may take until a program is gone that nobody holds any more.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// What was removed, and what is left all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Pins that were removed.
    pub pins: usize,
    /// What is left, a sentence each.
    pub left: Vec<String>,
}

/// Removes all versions' pins below `root`, the filters, and the file of sums below `state_dir`. Take
/// the lock first.
///
/// # Errors
/// The kernel's, when the folders cannot be read.
pub fn uninstall(root: &Path, state_dir: &Path, manner: Manner) -> io::Result<Removed> {
    let mut removed = Removed::default();
    let mut folders: Vec<PathBuf> = maps::other_versions(root)
        .into_iter()
        .map(|(_, folder)| folder)
        .collect();
    folders.push(maps::folder_of(root));
    let mut counted_into = Vec::new();
    for folder in folders.iter().filter(|folder| folder.exists()) {
        counted_into.extend(slots_map(folder));
        removed.left.extend(remove_filters(folder, manner));
        removed.pins += pins::remove_all(folder)?;
    }
    match fs::remove_dir(root.join("berth")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            removed
                .left
                .push(format!("{}: {error}", root.join("berth").display()));
        }
        _ => {}
    }
    crate::checkpoint::remove(state_dir)?;
    removed.left.extend(still_running(&counted_into));
    Ok(removed)
}

fn slots_map(folder: &Path) -> Option<u32> {
    let map = aya::maps::MapData::from_pin(folder.join(berth_ebpf_common::maps::SLOTS)).ok()?;
    Some(map.info().ok()?.id())
}

/// Filters are not pinned: whose they are stands beside the counters.
fn remove_filters(folder: &Path, manner: Manner) -> Vec<String> {
    let Ok(store) = Pinned::open(folder) else {
        return Vec::new();
    };
    let slots_map = store.slots_map().unwrap_or_default();
    let Ok(ledger) = Ledger::open(store, Duration::ZERO) else {
        return vec![format!("{}: its owners cannot be read", folder.display())];
    };
    let mut hooks = Kernel::new(folder.to_owned(), manner, slots_map);
    let with_filters = ledger
        .slots()
        .iter()
        .filter(|(_, found)| found.identity.mode.contains(&Mode::Clsact));
    with_filters
        .filter_map(|(slot, found)| {
            let target = decide::target(*slot, found);
            let error = hooks.detach(&target).err()?;
            let who = &found.identity;
            Some(format!(
                "filters of {}/{}: {error}",
                who.container, who.ifname
            ))
        })
        .collect()
}

/// Programs that count into one of these maps: links that somebody else holds, or that were pinned
/// where nobody can see them.
fn still_running(counted_into: &[u32]) -> Vec<String> {
    let uses = |id: u32| {
        bpf::maps_of(id).is_ok_and(|maps| maps.iter().any(|map| counted_into.contains(map)))
    };
    let mut waited = Duration::ZERO;
    loop {
        let running: Vec<u32> = loaded_programs()
            .filter_map(Result::ok)
            .map(|program| program.id())
            .filter(|id| uses(*id))
            .collect();
        if running.is_empty() || waited >= PATIENCE {
            let say = |id: &u32| format!("program {id} still counts: somebody holds its link");
            return running.iter().map(say).collect();
        }
        std::thread::park_timeout(PAUSE);
        waited += PAUSE;
    }
}
