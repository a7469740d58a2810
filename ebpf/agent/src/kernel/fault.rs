//! Places where a test may kill the agent, to prove that nothing is lost there, and what it may make
//! scarce.

/// Marks a place between two steps.
///
/// Does nothing unless the crate is built with the feature `fault-injection`; then the process
/// kills itself here when `BERTH_KILL_AT` names the place, or its count (`place#3`), and appends the
/// name to the file `BERTH_FAULT_TRACE` when that is set.
#[cfg(not(feature = "fault-injection"))]
pub const fn checkpoint(_place: &str) {}

/// Marks a place between two steps; see the other build's documentation.
#[cfg(feature = "fault-injection")]
pub fn checkpoint(place: &str) {
    use std::collections::BTreeMap;
    use std::io::Write as _;
    use std::sync::{Mutex, PoisonError};

    static PASSED: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    let count = passed.entry(place.to_owned()).or_default();
    *count += 1;
    let place = format!("{place}#{count}");
    drop(passed);
    if let Some(file) = std::env::var_os("BERTH_FAULT_TRACE") {
        let opened = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file);
        // A trace that cannot be written shows as a place that no test kills at.
        drop(opened.and_then(|mut file| file.write_all(format!("{place}\n").as_bytes())));
    }
    if std::env::var_os("BERTH_KILL_AT").is_some_and(|at| at == *place) {
        // Waits for the signal to arrive, so that nothing after this place happens.
        while nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).is_ok() {
            std::thread::park();
        }
    }
}

/// How many slots there are.
#[cfg(not(feature = "fault-injection"))]
pub const fn slots(all: u32) -> u32 {
    all
}

/// How many slots there are: as many as `BERTH_FAULT_SLOTS` says, so that a test can take them all.
#[cfg(feature = "fault-injection")]
pub fn slots(all: u32) -> u32 {
    let asked = std::env::var("BERTH_FAULT_SLOTS").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(all)
}
