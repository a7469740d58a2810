//! Programs that would manage the links that we make on the host.

use std::collections::BTreeSet;

use berth_cni::spec::Driver;

use super::known;
use super::node::tags;
use crate::doctor::line::Line;
use crate::doctor::seen::{Manager, NetworkFile, Seen, SeenParts};

/// What the links of the driver `ovs` are called, as a pattern.
const PORTS: &str = "bv*";

/// What the node's ends of `hostAccess` are called, as a pattern.
const PAIRS: &str = "berth*";

/// A link that we make on the host, or may make.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Made {
    /// A pattern of its name.
    pub(super) pattern: String,
    /// The kernel's word for its kind.
    pub(super) kind: &'static str,
}

/// Every manager that runs leaves our links alone.
pub(super) fn managers(seen: &Seen<Vec<Manager>>, networks: &[&SeenParts]) -> Line {
    let check = "managers";
    let managers = match known(check, seen, "look at the host's load") {
        Ok(managers) => managers,
        Err(line) => return line,
    };
    let made = made(networks);
    if made.is_empty() {
        return Line::ok(check, "no link of ours stays on the host");
    }
    let touching = managers.iter().find_map(|manager| touches(manager, &made));
    touching.map_or_else(
        || Line::ok(check, format!("nothing manages {}", patterns(&made))),
        |(found, remedy)| Line::warning(check, found, remedy),
    )
}

/// What we make on the host for these networks.
fn made(networks: &[&SeenParts]) -> BTreeSet<Made> {
    let mut made = BTreeSet::new();
    for parts in networks {
        if let Driver::Ovs(_) = parts.config.link.driver {
            let (pattern, kind) = (PORTS.to_owned(), "veth");
            made.insert(Made { pattern, kind });
        }
        if parts.config.link.host_access.is_some() {
            let (pattern, kind) = (PAIRS.to_owned(), "veth");
            made.insert(Made { pattern, kind });
        }
        if tags(parts)
            && let Ok(Some(parent)) = &parts.parent
        {
            let (pattern, kind) = (format!("{}.*", parent.link.name), "vlan");
            made.insert(Made { pattern, kind });
        }
    }
    made
}

/// Why a manager would manage one of them, and what to do.
pub(super) fn touches(manager: &Manager, made: &BTreeSet<Made>) -> Option<(String, String)> {
    match manager {
        Manager::Nm(unmanaged) => {
            let managed = made
                .iter()
                .find(|made| !unmanaged.iter().any(|rule| excludes(rule, made)))?;
            let list: Vec<_> = made
                .iter()
                .map(|made| format!("interface-name:{}", made.pattern))
                .collect();
            Some((
                format!("NetworkManager manages {}", managed.pattern),
                format!(
                    "write [keyfile] unmanaged-devices={} to /etc/NetworkManager/conf.d/berth.conf, and reload it",
                    list.join(";")
                ),
            ))
        }
        Manager::Networkd(files) => {
            let first = |made: &Made| files.iter().find(|file| takes(file, made));
            let (made, file) = made
                .iter()
                .find_map(|made| Some((made, first(made).filter(|file| !file.unmanaged)?)))?;
            Some((
                format!("systemd-networkd manages {} by {}", made.pattern, file.file),
                format!(
                    "write [Match] Name={} and [Link] Unmanaged=yes to /etc/systemd/network/05-berth.network, and reload it",
                    made.pattern
                ),
            ))
        }
        Manager::Ifupdown(names) => {
            let ours = |name: &&String| made.iter().any(|made| fits(&made.pattern, name));
            let name = names.iter().find(ours)?;
            Some((
                format!("ifupdown configures {name}"),
                "remove it from /etc/network/interfaces, or see that it is up before containers start".into(),
            ))
        }
    }
}

/// Whether a rule of `NetworkManager`'s list is about the link.
fn excludes(rule: &str, made: &Made) -> bool {
    if rule == "*" {
        return true;
    }
    let Some((kind, value)) = rule.split_once(':') else {
        return fits(rule, &made.pattern);
    };
    match kind {
        "interface-name" => fits(value.trim_start_matches('='), &made.pattern),
        "type" | "driver" => value == made.kind,
        _ => false,
    }
}

/// Whether a file of systemd-networkd is about the link.
fn takes(file: &NetworkFile, made: &Made) -> bool {
    let kinds = &file.types;
    let excluded = kinds
        .iter()
        .any(|kind| kind == "!*" || *kind == format!("!{}", made.kind));
    let by_kind = kinds
        .iter()
        .any(|kind| kind == "ether" || fits(kind, made.kind));
    let by_name = file.names.iter().any(|name| fits(name, &made.pattern));
    match (file.names.is_empty(), kinds.is_empty()) {
        (true, true) => false,
        (false, true) => by_name,
        (true, false) => by_kind && !excluded,
        (false, false) => by_name && by_kind && !excluded,
    }
}

fn patterns(made: &BTreeSet<Made>) -> String {
    let patterns: Vec<_> = made.iter().map(|made| made.pattern.as_str()).collect();
    patterns.join(", ")
}

/// Whether a pattern with `*` and `?` fits a text, of which a `*` is a character like others.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            let rest = pattern.get(1..).unwrap_or_default();
            let mut tails = text
                .char_indices()
                .map(|(at, _)| text.get(at..).unwrap_or_default());
            tails.any(|tail| fits(rest, tail)) || fits(rest, "")
        }
        (Some(one), Some(other)) if one == '?' || one == other => {
            let after =
                |text: &str, c: char| text.get(c.len_utf8()..).unwrap_or_default().to_owned();
            fits(&after(pattern, one), &after(text, other))
        }
        _ => false,
    }
}
