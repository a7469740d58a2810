//! What is the same for all networks of the host.

use std::fs;
use std::io;
use std::path::Path;

use super::{Patience, clock, failed, limits, managers};
use crate::doctor::seen::{Seen, SeenNode, Unseen};

/// Looks at the host.
pub(crate) fn node(patience: Patience) -> SeenNode {
    SeenNode {
        capabilities: patience.look(capabilities),
        neighbours: patience.look(|| Ok(["ipv4", "ipv6"].map(neighbours))),
        bpffs: patience.look(bpffs),
        synchronised: patience.look(clock::synchronised),
        can_tag: patience.look(|| Ok(can_tag())),
        limits_refused: patience.look(limits::refused),
        forwards: patience.look(|| {
            let files = ["ipv4/ip_forward", "ipv6/conf/all/forwarding"];
            Ok(files.map(|file| number(&format!("/proc/sys/net/{file}")) == Some(1)))
        }),
        managers: patience.look(|| Ok(managers::look(Path::new("/")))),
    }
}

/// The capabilities that this process has in effect.
fn capabilities() -> Seen<u64> {
    let status = fs::read_to_string("/proc/self/status").map_err(failed)?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.ok_or_else(|| Unseen::Failed("the kernel does not tell its capabilities".into()))
}

fn neighbours(family: &str) -> Option<u64> {
    number(&format!("/proc/sys/net/{family}/neigh/default/gc_thresh3"))
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn bpffs() -> Seen<bool> {
    let mounts = fs::read_to_string("/proc/self/mounts").map_err(failed)?;
    Ok(mounts.lines().any(is_bpffs))
}

fn is_bpffs(mount: &str) -> bool {
    let fields: Vec<_> = mount.split(' ').collect();
    matches!(fields.as_slice(), [_, "/sys/fs/bpf", "bpf", ..])
}

/// Whether the kernel knows 802.1Q, or has the module of it.
fn can_tag() -> bool {
    if Path::new("/proc/net/vlan").exists() {
        return true;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let modules = Path::new("/lib/modules").join(release.trim());
    let lists =
        ["modules.builtin", "modules.dep"].map(|list| fs::read_to_string(modules.join(list)));
    let lists = lists.into_iter().filter_map(io::Result::ok);
    lists.into_iter().any(|list| list.contains("/8021q.ko"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bpf_file_system_counts_at_its_place_only() {
        assert!(is_bpffs("none /sys/fs/bpf bpf rw,relatime 0 0"));
        assert!(!is_bpffs("none /mnt/bpf bpf rw 0 0"));
        assert!(!is_bpffs("tmpfs /sys/fs/bpf tmpfs rw 0 0"));
    }
}
