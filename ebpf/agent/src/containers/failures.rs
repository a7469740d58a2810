//! What did not go well, in numbers and in words.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use nix::libc;

use super::apply::Target;
use super::observe::Tree;

/// What did not go well so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// Attaching, by reason.
    pub attach: BTreeMap<&'static str, u64>,
    /// Updates of maps, by map.
    pub maps: BTreeMap<&'static str, u64>,
    /// Pods to whose cgroup nothing can be attached, because somebody's program tolerates no other.
    pub excluded: BTreeSet<u64>,
    /// Pods to whose cgroup nothing can be attached for another reason, and which.
    unattached: BTreeMap<u64, String>,
    /// What failed since the last plan, other than attaching, by map.
    unwritten: BTreeMap<&'static str, String>,
}

impl Failures {
    /// What is planned is tried again, and pods that are gone are not.
    pub(super) fn begin(&mut self, tree: &Tree) {
        self.unwritten.clear();
        let there: BTreeSet<u64> = tree.pods.values().map(|pod| pod.cgroup).collect();
        self.excluded.retain(|pod| there.contains(pod));
        self.unattached.retain(|pod, _| there.contains(pod));
    }

    /// Nothing is wrong with a pod, or nothing is wanted of it any more.
    pub(super) fn forgive(&mut self, pod: u64) {
        self.excluded.remove(&pod);
        self.unattached.remove(&pod);
    }

    /// Something could not be attached. Answers whether that is to be tried again later: nobody can
    /// attach to what has ended.
    pub(super) fn attach_failed(&mut self, target: &Target, error: &io::Error) -> bool {
        let pod = target.name.pod;
        let reason = reason(error);
        match reason {
            "gone" => return false,
            "excluded" => drop(self.excluded.insert(pod)),
            _ => {
                let sentence = format!(
                    "the containers of the pod at {} are not told apart: cannot attach to its cgroup: \
                     {error}; {}",
                    target.path.display(),
                    hint(error)
                );
                self.unattached.insert(pod, sentence);
            }
        }
        *self.attach.entry(reason).or_default() += 1;
        true
    }

    /// A map, or the links, could not be changed.
    pub(super) fn map_failed(&mut self, map: &'static str, error: &io::Error) {
        *self.maps.entry(map).or_default() += 1;
        let hint = match error.raw_os_error() {
            Some(libc::E2BIG | libc::ENOSPC) => {
                "it is full: what has no room is counted as unattributed"
            }
            _ => hint(error),
        };
        let sentence = format!("cannot change the {map} of containers: {error}; {hint}");
        self.unwritten.insert(map, sentence);
    }

    /// A sentence each, for those of whom one is to be said by itself.
    pub fn sentences(&self) -> impl Iterator<Item = String> {
        let mut all: BTreeSet<String> = self.unattached.values().cloned().collect();
        all.extend(self.unwritten.values().cloned());
        let excluded = self.excluded.len();
        if excluded > 0 {
            all.insert(format!(
                "the containers of {excluded} pods are not told apart: the kernel lets nothing be \
                 attached to their cgroups (EPERM), where somebody else's program tolerates no \
                 other, or CAP_NET_ADMIN is missing"
            ));
        }
        all.into_iter()
    }
}

/// A word for the label `reason`.
fn reason(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENOLINK) => "gone",
        Some(libc::EPERM) => "excluded",
        _ => "attach",
    }
}

/// What the operator can do.
pub(super) fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::E2BIG) => "64 programs are attached there, which is the most: take one away",
        Some(libc::ENOMEM) => "raise MemoryMax of the agent's unit",
        Some(libc::ENOSPC) => "the file system of the pins is full: remove what is not needed",
        Some(libc::EMFILE | libc::ENFILE) => "raise LimitNOFILE of the agent's unit",
        Some(libc::EPERM | libc::EACCES) => "run the agent with CAP_BPF and CAP_NET_ADMIN",
        Some(libc::EROFS) => "have the file system of the pins remounted with rw",
        _ => {
            "run the agent with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN on Linux 5.10 or later; \
             `dmesg` may have the kernel's words"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::apply::{Hook, LinkName};

    fn target(pod: u64) -> Target {
        let hook = Hook::Receive;
        Target {
            name: LinkName { pod, hook },
            path: format!("/cgroup/{pod}").into(),
            constant: 0,
        }
    }

    #[test]
    fn what_fails_is_said_with_what_to_do_and_what_is_gone_is_not() {
        let cases = [
            (libc::E2BIG, true, Some("take one away")),
            (libc::ENOMEM, true, Some("MemoryMax")),
            (libc::EINVAL, true, Some("dmesg")),
            (libc::EPERM, true, Some("1 pods are not told apart")),
            (libc::ENOENT, false, None),
            (libc::ENODEV, false, None),
        ];
        for (errno, again, words) in cases {
            let mut failures = Failures::default();
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(failures.attach_failed(&target(7), &error), again, "{error}");
            assert_eq!(failures.attach_failed(&target(7), &error), again, "{error}");
            let said: Vec<String> = failures.sentences().collect();
            assert_eq!(said.len(), usize::from(words.is_some()), "{said:?}");
            let found = |words| said.iter().any(|sentence| sentence.contains(words));
            assert!(words.is_none_or(found), "{said:?}");
            failures.begin(&Tree::default());
            assert_eq!(failures.sentences().count(), 0, "its pod is gone");
        }
    }

    #[test]
    fn a_map_that_is_full_is_said_until_it_is_not() {
        let mut failures = Failures::default();
        failures.map_failed("cgroups", &io::Error::from_raw_os_error(libc::E2BIG));
        let said: Vec<String> = failures.sentences().collect();
        assert!(
            matches!(&said[..], [one] if one.contains("cgroups") && one.contains("full")),
            "{said:?}"
        );
        failures.begin(&Tree::default());
        assert_eq!(failures.sentences().count(), 0);
        assert_eq!(failures.maps["cgroups"], 1, "the number stays");
    }
}
