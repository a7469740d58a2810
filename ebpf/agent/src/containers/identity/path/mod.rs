//! The paths that runtimes give to cgroups.
//!
//! Names are the runtime's up to the container; what is below may be anything, as a container can
//! make cgroups of its own. So the first pod of a path counts, and the first container below it.

use super::{Cgroup, PodKey, Role};

/// Digits of a container's id.
const ID: usize = 64;
/// Digits of a static pod's uid, which is a digest of its manifest.
const STATIC_UID: usize = 32;
/// The groups of any other's, with one character between each.
const UID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// What the cgroup at `path` is, which is relative to the root of the hierarchy.
pub fn identify(path: &str) -> Cgroup {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let pod = parts
        .iter()
        .enumerate()
        .find_map(|(at, part)| Some((at, pod_of(part)?)));
    match pod {
        Some((at, found)) => within_pod(&parts, at, found),
        None => alone(&parts),
    }
}

/// A path whose part `at` names a pod.
fn within_pod(parts: &[&str], at: usize, found: PodPart<'_>) -> Cgroup {
    let PodPart { pod, container } = found;
    let (at, part) = match (container, parts.get(at + 1)) {
        // The pod has no cgroup: its containers' stand side by side.
        (Some(part), _) => (at, part),
        (None, Some(part)) => (at + 1, *part),
        (None, None) => {
            let level = level(at);
            return Cgroup::Pod { pod, level };
        }
    };
    match id(part) {
        Some(id) => container_at(parts, at, Some(pod), (id, role(part))),
        None => Cgroup::Other,
    }
}

/// A path without a pod.
fn alone(parts: &[&str]) -> Cgroup {
    let found = parts.iter().enumerate().find_map(|(at, part)| {
        let before = at.checked_sub(1).and_then(|at| parts.get(at)).copied();
        Some((at, lone_container(before, part)?))
    });
    match found {
        Some((at, (id, role))) => container_at(parts, at, None, (id, role)),
        None => Cgroup::Other,
    }
}

fn container_at(
    parts: &[&str],
    at: usize,
    pod: Option<PodKey>,
    (id, role): (&str, Role),
) -> Cgroup {
    let (id, level) = (id.to_owned(), level(at));
    if at + 1 == parts.len() {
        return Cgroup::Container {
            pod,
            id,
            level,
            role,
        };
    }
    Cgroup::Inner { pod, id, level }
}

/// What a part names that names a pod.
struct PodPart<'a> {
    pod: PodKey,
    /// What follows in `<slice>:<prefix>:<name>`, which some versions of containerd make a folder of.
    container: Option<&'a str>,
}

fn pod_of(part: &str) -> Option<PodPart<'_>> {
    let (slice, container) = match part.split_once(':') {
        Some((slice, rest)) => (slice, Some(rest)),
        None => (part, None),
    };
    let name = slice.strip_suffix(".slice").unwrap_or(slice);
    // `podman pod create` calls its own `libpod_pod_<id>`.
    let pod = match name.rsplit_once("libpod_pod_") {
        Some((_, id)) if is_hex(id, ID) => PodKey::Podman(id.to_owned()),
        Some(_) => return None,
        None => PodKey::Uid(uid(name)?),
    };
    Some(PodPart { pod, container })
}

/// The uid in `pod<uid>` and `…-pod<uid>`.
fn uid(name: &str) -> Option<String> {
    let (before, text) = name.rsplit_once("pod")?;
    if !(before.is_empty() || before.ends_with('-')) {
        return None;
    }
    if is_hex(text, STATIC_UID) {
        return Some(text.to_owned());
    }
    let text = text.replace('_', "-");
    let groups = text.split('-').zip(UID_GROUPS);
    let whole = text.len() == UID_GROUPS.iter().sum::<usize>() + UID_GROUPS.len() - 1;
    (whole && groups.clone().count() == UID_GROUPS.len() && { groups }.all(|(g, n)| is_hex(g, n)))
        .then_some(text)
}

/// The last id of `part`, between characters that are none of an id's.
fn id(part: &str) -> Option<&str> {
    part.rsplit(|c: char| !c.is_ascii_alphanumeric())
        .find(|token| is_hex(token, ID))
}

fn role(part: &str) -> Role {
    if part.contains("conmon") {
        return Role::Monitor;
    }
    Role::Container
}

/// The container that `part` is, when it is one without a pod; `before` is the part above.
fn lone_container<'a>(before: Option<&str>, part: &'a str) -> Option<(&'a str, Role)> {
    let named = |prefix: &str| part.strip_prefix(prefix).filter(|name| !name.is_empty());
    if let Some(name) = named("lxc.payload.") {
        return Some((name, Role::Container));
    }
    if let Some(name) = named("lxc.monitor.") {
        return Some((name, Role::Monitor));
    }
    // Talos runs the node's own services so.
    if before == Some("podruntime") {
        return Some((part, Role::Container));
    }
    Some((id(part)?, role(part)))
}

fn is_hex(text: &str, digits: usize) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == digits && text.bytes().all(digit)
}

/// The level of the part `at`.
fn level(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests;
