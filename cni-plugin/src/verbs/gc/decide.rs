//! Which of the attachments that were found are to be ended. Pure.

use berth_store::Revision;
use berth_types::{AttachmentId, Incarnation};

use super::seen::Seen;
use crate::spec::ValidAttachments;

/// How long an attachment of which only the store tells must have been seen unchanged: its ADD may
/// be at work on this node with its files in another place.
pub(super) const YOUNG_MS: u64 = 10 * 60 * 1000;

/// An attachment of this node to this network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: AttachmentId,
    pub(super) trace: Trace,
    pub(super) life: Life,
}

/// What tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    /// The node's own files, of these lives.
    Files {
        record: Option<Incarnation>,
        intent: Option<Incarnation>,
    },
    /// Only the store, since that revision.
    Stored {
        revision: Revision,
        incarnation: Incarnation,
    },
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Its interface is there.
    Stands,
    /// Its ADD was killed; nobody was told of an interface.
    Killed,
    /// Its interface, or the namespace with it, is gone.
    Gone,
    /// The runtime has it: nobody looked.
    NotAsked,
    /// That cannot be told.
    Unclear(String),
}

/// What is to be done.
#[derive(Clone, Debug, Default)]
pub(super) struct Decision {
    /// What is to be ended.
    pub(super) ends: Vec<Found>,
    /// What the next GC has to know.
    pub(super) seen: Seen,
}

/// Decides; `earlier` is what the GC before this one saw, `now` is in milliseconds of uptime.
pub(super) fn decide(
    found: Vec<Found>,
    valid: &ValidAttachments,
    earlier: &Seen,
    now: u64,
) -> Decision {
    let mut decision = Decision::default();
    for found in found {
        let old = match &found.trace {
            Trace::Files { .. } => true,
            Trace::Stored { revision, .. } => {
                let since = decision.seen.add(earlier, &found.id, *revision, now);
                now.saturating_sub(since) >= YOUNG_MS
            }
        };
        let may = match &found.life {
            Life::Stands => Err("its interface stands"),
            Life::NotAsked => Err("nobody looked"),
            Life::Unclear(why) => Err(why.as_str()),
            Life::Killed | Life::Gone if !old => Err("it was not seen for long"),
            Life::Killed | Life::Gone => Ok(()),
        };
        match may {
            _ if valid.has(&found.id.container, &found.id.ifname) => {}
            Err(why) => tracing::debug!(attachment = %found.id, why, "not on the list, but kept"),
            Ok(()) => decision.ends.push(found),
        }
    }
    decision
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::MainConfig;

    fn valid(container: &str) -> ValidAttachments {
        let config = json!({
            "cniVersion": "1.1.0", "name": "pods", "master": "uplink0",
            "ipam": {"store": {"embedded": "/x"}},
            "cni.dev/valid-attachments": [{"containerID": container, "ifname": "eth0"}],
        });
        let config = MainConfig::parse(config.to_string().as_bytes()).unwrap();
        config.common.gc.valid().unwrap()
    }

    fn found(trace: &Trace, life: Life) -> Vec<Found> {
        vec![Found {
            id: "n1/pods/a/eth0".parse().unwrap(),
            trace: trace.clone(),
            life,
        }]
    }

    fn files() -> Trace {
        Trace::Files {
            record: Some(Incarnation::from_random([1; 16])),
            intent: None,
        }
    }

    fn stored(revision: u64) -> Trace {
        Trace::Stored {
            revision: Revision(revision),
            incarnation: Incarnation::from_random([1; 16]),
        }
    }

    const LONG: u64 = 2 * YOUNG_MS;

    #[test]
    fn case_42_what_stands_or_cannot_be_told_is_kept_also_when_nothing_is_valid() {
        for (life, ends) in [
            (Life::Stands, 0),
            (Life::NotAsked, 0),
            (Life::Unclear("no access".into()), 0),
            (Life::Gone, 1),
            (Life::Killed, 1),
        ] {
            let decision = decide(
                found(&files(), life.clone()),
                &valid("x"),
                &Seen::default(),
                7,
            );
            assert_eq!(decision.ends.len(), ends, "case: {life:?}");
        }
    }

    #[test]
    fn what_the_runtime_has_is_kept_whatever_became_of_it() {
        for trace in [files(), stored(3)] {
            let first = decide(found(&trace, Life::Gone), &valid("a"), &Seen::default(), 1);
            let later = decide(found(&trace, Life::Gone), &valid("a"), &first.seen, LONG);
            assert!(
                first.ends.is_empty() && later.ends.is_empty(),
                "case: {trace:?}"
            );
        }
    }

    #[test]
    fn case_46_what_only_the_store_tells_of_has_to_be_seen_unchanged_for_ten_minutes() {
        let none = valid("x");
        let look = |revision, earlier: &Seen, now| {
            decide(found(&stored(revision), Life::Gone), &none, earlier, now)
        };
        let first = look(3, &Seen::default(), LONG);
        assert!(first.ends.is_empty(), "the first look");
        let soon = look(3, &first.seen, LONG + YOUNG_MS - 1);
        assert!(soon.ends.is_empty(), "a moment too early");
        let changed = look(4, &soon.seen, LONG + YOUNG_MS);
        assert!(changed.ends.is_empty(), "a later life");
        let unchanged = look(3, &soon.seen, LONG + YOUNG_MS);
        assert_eq!(unchanged.ends.len(), 1);
        let restarted = look(3, &soon.seen, 5);
        assert!(restarted.ends.is_empty(), "a clock that began anew");
        let forgotten = decide(Vec::new(), &none, &soon.seen, LONG);
        let again = look(3, &forgotten.seen, LONG + YOUNG_MS);
        assert!(again.ends.is_empty(), "one that was away meanwhile");
    }
}
