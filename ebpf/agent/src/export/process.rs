//! What the kernel says of this process.

use std::fs;
use std::io;

/// How a process does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Virtual memory, in bytes.
    pub virtual_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// Most of them.
    pub max_fds: u64,
    /// When it started, in seconds since 1970.
    pub started: f64,
}

/// Clock ticks a second in what the kernel tells programs, on every architecture of Linux.
const TICKS: f64 = 100.0;

impl Process {
    /// Looks at this process.
    ///
    /// # Errors
    /// When `/proc` is not there or says something unheard of.
    pub fn look() -> io::Result<Self> {
        let stat = fs::read_to_string("/proc/self/stat")?;
        let boot = fs::read_to_string("/proc/stat")?;
        let limits = fs::read_to_string("/proc/self/limits")?;
        let open = fs::read_dir("/proc/self/fd")?.count();
        let parsed = Self::parse(&stat, &boot, &limits);
        let process =
            parsed.ok_or_else(|| io::Error::other("/proc/self is not as it should be"))?;
        Ok(Self {
            // Less the one by which they were counted.
            open_fds: u64::try_from(open).unwrap_or_default().saturating_sub(1),
            ..process
        })
    }

    fn parse(stat: &str, boot: &str, limits: &str) -> Option<Self> {
        // The name before may have blanks and parentheses in it.
        let (_, stat) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = stat.split_ascii_whitespace().collect();
        // Numbered from 3, as proc(5) does.
        let field = |number: usize| fields.get(number - 3);
        let number = |at: usize| field(at)?.parse::<u64>().ok();
        let ticks = |at: usize| Some(field(at)?.parse::<f64>().ok()? / TICKS);
        let booted = boot.lines().find_map(|line| line.strip_prefix("btime "))?;
        let most = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        let most = most.and_then(|line| line.split_ascii_whitespace().next());
        Some(Self {
            cpu_seconds: ticks(14)? + ticks(15)?,
            resident_bytes: number(24)?.saturating_mul(page_size()),
            virtual_bytes: number(23)?,
            threads: number(20)?,
            open_fds: 0,
            max_fds: most.and_then(|most| most.parse().ok()).unwrap_or_default(),
            started: booted.trim().parse::<f64>().ok()? + ticks(22)?,
        })
    }
}

fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    let size = size
        .ok()
        .flatten()
        .and_then(|size| u64::try_from(size).ok());
    size.unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_memory_and_descriptors() {
        let process = Process::look().unwrap();
        assert!(process.resident_bytes > 100_000, "{process:?}");
        assert!(
            process.virtual_bytes >= process.resident_bytes,
            "{process:?}"
        );
        assert!(
            process.open_fds >= 3 && process.max_fds >= process.open_fds,
            "{process:?}"
        );
        assert!(
            process.threads >= 1 && process.started > 1.6e9,
            "{process:?}"
        );
    }

    #[test]
    fn a_name_with_parentheses_moves_no_field() {
        let rest: Vec<String> = (3..=52).map(|n| n.to_string()).collect();
        let stat = format!("7 (a) b) {}", rest.join(" "));
        let process = Process::parse(&stat, "cpu 1\nbtime 1000\n", "Max open files 10 20 files\n");
        let process = process.unwrap();
        assert!((process.cpu_seconds - 0.29).abs() < 1e-9, "{process:?}");
        assert_eq!((process.virtual_bytes, process.threads), (23, 20));
        assert!((process.started - 1000.22).abs() < 1e-9, "{process:?}");
        assert_eq!(process.max_fds, 10);
    }

    #[test]
    fn what_is_cut_off_is_no_process() {
        assert_eq!(Process::parse("7 (a) S 1", "btime 1", ""), None);
    }
}
