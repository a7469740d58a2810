//! Packets on their way from a device to the programs.

use std::fs;
use std::time::Duration;

/// How long a packet that the device has counted is on its way, on a machine that is not busy.
const ON_THE_WAY: Duration = Duration::from_millis(5);
/// How often that is waited for, on one that is.
const LOOKS: usize = 20;

/// Waits until the programs have seen what a device had counted before: what it receives waits for its
/// processor, which on a busy machine may take many times as long as elsewhere. Gives up when there is
/// no moment in which nothing waits.
pub(super) fn settle() {
    for _ in 0..LOOKS {
        std::thread::park_timeout(ON_THE_WAY);
        let statistics = fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default();
        if waiting(&statistics) == 0 {
            break;
        }
    }
}

/// How many packets wait on all processors: a line each, the twelfth column, hexadecimal (Linux 5.10).
fn waiting(statistics: &str) -> u64 {
    let backlogs = statistics.lines().filter_map(|line| {
        let backlog = line.split_whitespace().nth(11)?;
        u64::from_str_radix(backlog, 16).ok()
    });
    backlogs.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_on_any_processor_is_seen() {
        let line = |backlog: &str| format!("0855 0 19 0 0 0 0 0 0 0 0 {backlog} 00000001 0 0\n");
        let text = [line("00000000"), line("0000001f"), line("00000001")].concat();
        assert_eq!(waiting(&text), 32);
        assert_eq!(waiting(&line("00000000")), 0);
        // Before Linux 5.10, and whatever else.
        assert_eq!(waiting("0855 0 19 0 0 0 0 0 0 0 0\nx\n"), 0);
        let most = line("ffffffffffffffff");
        assert_eq!(waiting(&most.repeat(2)), u64::MAX);
    }
}
