//! The host, with all its networks.

use berth_cni::spec::{CniError, Driver};
use berth_types::{Family, Subnet};

use super::{known, managers};
use crate::doctor::line::Line;
use crate::doctor::seen::{Seen, SeenNetwork, SeenNode, SeenParts};

/// `CAP_NET_ADMIN`, `CAP_NET_RAW` and `CAP_SYS_ADMIN` of linux/capability.h: links, packet sockets,
/// and entering a container's namespace.
const NEEDED: [(&str, u32); 3] = [
    ("CAP_NET_ADMIN", 12),
    ("CAP_NET_RAW", 13),
    ("CAP_SYS_ADMIN", 21),
];
/// More neighbours than that no host has, however large the pool.
const MOST_NEIGHBOURS: u64 = 1 << 16;

/// Everything about the host, as far as these networks need it.
pub(crate) fn node(seen: &SeenNode, networks: &[SeenNetwork]) -> Vec<Line> {
    let SeenNode {
        capabilities,
        neighbours,
        bpffs,
        synchronised,
        can_tag,
        limits_refused,
        forwards,
        managers: running,
    } = seen;
    let parts: Vec<_> = networks
        .iter()
        .filter_map(|network| network.parsed.as_ref().ok())
        .collect();
    let mut lines = vec![permissions(capabilities)];
    lines.extend(tagging(can_tag, &parts));
    lines.push(limits(limits_refused));
    lines.extend(forwarding(forwards, &parts));
    lines.extend(neighbour_tables(neighbours, &parts));
    lines.push(managers::managers(running, &parts));
    lines.push(clock(synchronised));
    lines.push(bpf(bpffs));
    lines
}

fn permissions(seen: &Seen<u64>) -> Line {
    let check = "permissions";
    let remedy = "run this as root on the node, outside of containers";
    let bits = match known(check, seen, remedy) {
        Ok(bits) => bits,
        Err(line) => return line,
    };
    let lacking = NEEDED.iter().filter(|(_, bit)| bits & (1 << bit) == 0);
    let lacking: Vec<_> = lacking.map(|(name, _)| *name).collect();
    if lacking.is_empty() {
        Line::ok(check, "all that the plugin needs")
    } else {
        Line::failure(
            check,
            format!("this process lacks {}", lacking.join(", ")),
            remedy,
        )
    }
}

/// 802.1Q, where a sub-interface is still to be made.
fn tagging(seen: &Seen<bool>, networks: &[&SeenParts]) -> Option<Line> {
    networks.iter().any(|parts| tags(parts)).then(|| {
        let remedy =
            "modprobe 8021q; to keep it loaded, write 8021q to /etc/modules-load.d/berth.conf";
        match known("kernel-vlan", seen, remedy) {
            Err(line) => line,
            Ok(true) => Line::ok("kernel-vlan", "the kernel has 802.1Q"),
            Ok(false) => Line::failure("kernel-vlan", "the kernel has no 802.1Q", remedy),
        }
    })
}

/// Whether interfaces of the network stand on VLAN sub-interfaces.
pub(super) fn tags(parts: &SeenParts) -> bool {
    let pools = parts.store.iter().flat_map(|store| &store.pools);
    let mut subnets = pools
        .filter_map(|(_, pool)| pool.as_ref().ok())
        .flat_map(|pool| &pool.subnets);
    let vlan = parts.config.link.vlan.is_some() || subnets.any(|subnet| subnet.vlan.is_some());
    vlan && matches!(parts.config.link.driver, Driver::Macvlan(_))
}

/// Limits on traffic, which some containers may have.
fn limits(seen: &Seen<Option<CniError>>) -> Line {
    let check = "limits";
    match known(check, seen, "run this on the node as root") {
        Err(line) => line,
        Ok(None) => Line::ok(check, "the kernel can limit a container's traffic"),
        Ok(Some(error)) => Line::warning(check, error.message(), error.remedy()),
    }
}

/// Forwarding, where containers reach services by way of the node.
fn forwarding(seen: &Seen<[bool; 2]>, networks: &[&SeenParts]) -> Vec<Line> {
    let access = networks
        .iter()
        .filter_map(|parts| parts.config.link.host_access.as_ref());
    let cidrs: Vec<_> = access.flat_map(|access| &access.service_cidrs).collect();
    let families = [
        (
            "net.ipv4.ip_forward",
            0,
            cidrs.iter().any(|cidr| cidr.is_ipv4()),
        ),
        (
            "net.ipv6.conf.all.forwarding",
            1,
            cidrs.iter().any(|cidr| cidr.is_ipv6()),
        ),
    ];
    let needed = families.into_iter().filter(|(_, _, needed)| *needed);
    let line = |(key, n, _): (&str, usize, bool)| {
        let remedy = format!("sysctl -w {key}=1, and keep it in /etc/sysctl.d/");
        match known("forwarding", seen, &remedy) {
            Err(line) => line,
            Ok(on) if on.get(n) == Some(&true) => Line::ok("forwarding", format!("{key} is on")),
            Ok(_) => Line::failure(
                "forwarding",
                format!("{key} is off, and \"serviceCidrs\" goes through the node"),
                remedy,
            ),
        }
    };
    needed.map(line).collect()
}

/// Room for all neighbours of the pools, which the whole machine shares with its containers.
fn neighbour_tables(seen: &Seen<[Option<u64>; 2]>, networks: &[&SeenParts]) -> Vec<Line> {
    let limits = match known("neighbours", seen, "run this on the node as root") {
        Ok(limits) => limits,
        Err(line) => return vec![line],
    };
    let families = [(Family::V4, "ipv4"), (Family::V6, "ipv6")];
    let lines = families
        .into_iter()
        .zip(limits)
        .filter_map(|((family, name), limit)| {
            let wanted = neighbours(networks, family)?;
            Some(neighbour_table(name, wanted, *limit))
        });
    lines.collect()
}

fn neighbour_table(family: &str, wanted: u64, limit: Option<u64>) -> Line {
    let key = format!("net.{family}.neigh.default.gc_thresh3");
    match limit {
        None => Line::skipped("neighbours", format!("{key} shows on the host itself only")),
        Some(limit) if limit > wanted => Line::ok(
            "neighbours",
            format!("{key} is {limit}, for {wanted} addresses"),
        ),
        Some(limit) => {
            let found = format!(
                "{key} is {limit}, and the pools have {wanted} addresses: neighbours will be dropped"
            );
            let better = (wanted * 2).next_power_of_two();
            let half = better / 2;
            let remedy = format!(
                "sysctl -w {key}={better} net.{family}.neigh.default.gc_thresh2={half}, and keep it in /etc/sysctl.d/"
            );
            Line::warning("neighbours", found, remedy)
        }
    }
}

/// How many addresses of the family the networks' pools have; `None` without a subnet of it.
fn neighbours(networks: &[&SeenParts], family: Family) -> Option<u64> {
    let stores = networks.iter().flat_map(|parts| parts.store.iter());
    let pools = stores
        .flat_map(|store| &store.pools)
        .filter_map(|(_, pool)| pool.as_ref().ok());
    let subnets = pools.flat_map(|pool| &pool.subnets);
    let sizes = subnets.filter(|subnet| Family::of(subnet.cidr.ip()) == family);
    let sizes: Vec<_> = sizes.map(Subnet::size).collect();
    let sum = sizes
        .iter()
        .fold(0_u64, |sum, size| sum.saturating_add(*size));
    (!sizes.is_empty()).then_some(sum.min(MOST_NEIGHBOURS))
}

fn clock(seen: &Seen<bool>) -> Line {
    let remedy =
        "start chrony or systemd-timesyncd: times in records and certificates go by this clock";
    match known("clock", seen, remedy) {
        Err(line) => line,
        Ok(true) => Line::ok("clock", "synchronised"),
        Ok(false) => Line::warning("clock", "the kernel's clock is not synchronised", remedy),
    }
}

fn bpf(seen: &Seen<bool>) -> Line {
    let remedy = "mount -t bpf bpf /sys/fs/bpf; the counters of traffic are kept there";
    match known("bpffs", seen, remedy) {
        Err(line) => line,
        Ok(true) => Line::ok("bpffs", "mounted at /sys/fs/bpf"),
        Ok(false) => Line::warning("bpffs", "not mounted at /sys/fs/bpf", remedy),
    }
}
