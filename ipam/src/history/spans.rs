//! Who had an address when, as far as anything remembers. Pure.

use std::cmp::Reverse;

use berth_types::{AddressRecord, AttachmentId, Holder, PodRef, Previous, REMEMBERED_HOLDERS};
use jiff::Timestamp;

use super::{Change, What};

/// How long a holder had an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It still has it.
    Still,
    /// Until then.
    At(Timestamp),
    /// Nothing at hand says. Only a node's log gives this: its release was made elsewhere.
    NotKnown,
}

/// One holder of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which interface.
    pub attachment: AttachmentId,
    /// Its pod, when the runtime named one.
    pub pod: Option<PodRef>,
    /// From when, by the clock of the node that gave it.
    pub since: Timestamp,
    /// Until when, by the clock of whoever ended it.
    pub end: End,
}

impl Span {
    fn covers(&self, moment: Timestamp) -> bool {
        self.since <= moment
            && match self.end {
                End::Still => true,
                End::At(until) => moment < until,
                End::NotKnown => false,
            }
    }
}

/// Everything that is known of an address's holders.
///
/// The default is the history of an address without a record: nobody ever held it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The holders, newest first.
    pub spans: Vec<Span>,
    /// From when on every holder is known; what was before is unknown unless a span covers it.
    /// `None` when nothing was forgotten since the address's pool was made.
    pub known_since: Option<Timestamp>,
}

/// Who had an address at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// That one.
    Held(&'a Span),
    /// Nobody.
    Free {
        /// The last holder before; none when nobody ever was.
        after: Option<&'a Span>,
        /// The next holder; none when nobody came since.
        before: Option<&'a Span>,
    },
    /// Nothing at hand tells.
    Unknown {
        /// Unknown before then. None when nothing is known since either.
        before: Option<Timestamp>,
        /// The last that is known to have had it, of which no end is known. It may have been it.
        perhaps: Option<&'a Span>,
    },
}

/// What an address's record says of its holders.
///
/// A record remembers [`REMEMBERED_HOLDERS`] earlier holders: one that is full may have forgotten
/// some, so what was before the oldest is unknown.
pub fn spans(record: &AddressRecord) -> History {
    let present = record.holder.as_ref().map(|holder| {
        let Holder {
            attachment,
            pod,
            since,
            incarnation: _,
            mac: _,
        } = holder;
        Span {
            attachment: attachment.clone(),
            pod: pod.clone(),
            since: *since,
            end: End::Still,
        }
    });
    let earlier = record.previous.iter().map(|previous| {
        let Previous {
            attachment,
            pod,
            since,
            until,
        } = previous;
        Span {
            attachment: attachment.clone(),
            pod: pod.clone(),
            since: *since,
            end: End::At(*until),
        }
    });
    let full = record.previous.len() >= REMEMBERED_HOLDERS;
    let oldest = record.previous.last().filter(|_| full);
    History {
        spans: present.into_iter().chain(earlier).collect(),
        known_since: oldest.map(|previous| previous.since),
    }
}

impl History {
    /// With what logs say as well. `changes` are of this one address, in any order, of one node or
    /// of several.
    ///
    /// A log shows only what its own node did, so it adds holders and never makes a time free.
    #[must_use]
    pub fn with_changes<'a>(mut self, changes: impl IntoIterator<Item = &'a Change>) -> Self {
        for span in logged(changes) {
            let same =
                |known: &Span| known.attachment == span.attachment && known.since == span.since;
            if !self.spans.iter().any(same) {
                self.spans.push(span);
            }
        }
        self.spans.sort_by_key(|span| Reverse(span.since));
        self
    }

    /// Who had the address at `moment`. A holder has it from its first moment until just before
    /// its last.
    ///
    /// Clocks of nodes differ: where two holders overlap, the one that came later is named.
    pub fn at(&self, moment: Timestamp) -> Who<'_> {
        if let Some(span) = self.spans.iter().find(|span| span.covers(moment)) {
            return Who::Held(span);
        }
        let after = self.spans.iter().find(|span| span.since <= moment);
        let before = self.spans.iter().rfind(|span| span.since > moment);
        let perhaps = after.filter(|span| span.end == End::NotKnown);
        let forgotten = self.known_since.filter(|since| moment < *since);
        if forgotten.is_none() && perhaps.is_none() {
            return Who::Free { after, before };
        }
        Who::Unknown {
            before: forgotten.or_else(|| before.map(|span| span.since)),
            perhaps,
        }
    }
}

/// The holders that logs name, in no particular order.
fn logged<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Vec<Span> {
    let mut changes: Vec<_> = changes.into_iter().collect();
    changes.sort_by_key(|change| (change.revision, change.at));
    let mut spans: Vec<Span> = Vec::new();
    for change in changes {
        let open = spans.last_mut().filter(|span| span.end == End::NotKnown);
        let ours = open.filter(|span| span.attachment == change.attachment);
        match (change.what.begins(), ours) {
            // It was published again: the same holder goes on.
            (true, Some(_)) if change.what == What::Republished => {}
            (false, Some(span)) => span.end = End::At(change.at),
            (true, _) => {
                hand_over(&mut spans, change);
                spans.push(begun(change));
            }
            // A release of what the logs do not show being taken.
            (false, None) => {}
        }
    }
    spans
}

/// Whoever had the address until `change` passed it on.
fn hand_over(spans: &mut [Span], change: &Change) {
    let open = spans.last_mut().filter(|span| span.end == End::NotKnown);
    if let Some(span) = open.filter(|_| change.what == What::PassedOn) {
        span.end = End::At(change.at);
    }
}

fn begun(change: &Change) -> Span {
    Span {
        attachment: change.attachment.clone(),
        pod: change.pod.clone(),
        since: change.at,
        end: End::NotKnown,
    }
}

#[cfg(test)]
mod tests {
    use berth_store::Revision;
    use berth_types::{Incarnation, SchemaVersion};

    use super::*;

    fn moment(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
    }

    fn id(container: &str) -> AttachmentId {
        format!("n1/pods/{container}/eth0").parse().unwrap()
    }

    fn holder(container: &str, since: i64) -> Holder {
        Holder {
            attachment: id(container),
            incarnation: Incarnation::from_random([1; 16]),
            pod: None,
            mac: "0a:58:0a:14:01:11".parse().unwrap(),
            since: moment(since),
        }
    }

    fn unused() -> AddressRecord {
        AddressRecord::unused("prod".parse().unwrap())
    }

    /// Held by `c<n>` in the first half of every ten minutes.
    fn after(holders: i64) -> AddressRecord {
        (0..holders).fold(unused(), |record, n| {
            let held = record.held_by(holder(&format!("c{n}"), 10 * n));
            held.released(moment(10 * n + 5))
        })
    }

    fn change(what: What, container: &str, minute: i64) -> Change {
        Change {
            v: SchemaVersion,
            at: moment(minute),
            address: "10.20.1.17".parse().unwrap(),
            pool: "prod".parse().unwrap(),
            attachment: id(container),
            incarnation: Incarnation::from_random([1; 16]),
            pod: None,
            what,
            revision: Revision(u64::try_from(100 + minute).unwrap()),
        }
    }

    /// The answer in a few letters.
    fn told(history: &History, minute: i64) -> String {
        let name = |span: Option<&Span>| {
            span.map_or("-".to_owned(), |s| s.attachment.container.to_string())
        };
        match history.at(moment(minute)) {
            Who::Held(span) => format!("held {}", name(Some(span))),
            Who::Free { after, before } => format!("free {} {}", name(after), name(before)),
            Who::Unknown { before, perhaps } => {
                let since = moment(0).as_second();
                let before = before.map(|at| (at.as_second() - since) / 60);
                format!("unknown {before:?} {}", name(perhaps))
            }
        }
    }

    #[test]
    fn an_address_nobody_had_was_always_free() {
        for history in [History::default(), spans(&unused())] {
            assert_eq!(told(&history, 3), "free - -");
        }
    }

    #[test]
    fn each_moment_has_its_holder_or_none() {
        let history = spans(&after(2).held_by(holder("c2", 20)));
        let cases = [
            (-1, "free - c0"),
            (0, "held c0"),
            (4, "held c0"),
            (5, "free c0 c1"),
            (9, "free c0 c1"),
            (10, "held c1"),
            (15, "free c1 c2"),
            (20, "held c2"),
            (9999, "held c2"),
        ];
        for (minute, expected) in cases {
            assert_eq!(told(&history, minute), expected, "minute {minute}");
        }
        assert_eq!(history.known_since, None);
    }

    #[test]
    fn what_a_full_record_may_have_forgotten_is_unknown() {
        let history = spans(&after(6));
        assert_eq!(history.known_since, Some(moment(20)));
        let cases = [
            (3, "unknown Some(20) -"),
            (19, "unknown Some(20) -"),
            (20, "held c2"),
            (25, "free c2 c3"),
            (55, "free c5 -"),
        ];
        for (minute, expected) in cases {
            assert_eq!(told(&history, minute), expected, "minute {minute}");
        }
    }

    #[test]
    fn a_log_tells_what_the_record_forgot_and_never_that_nobody_was() {
        let log = [
            change(What::Released, "c1", 15),
            change(What::Held, "c1", 10),
            change(What::Held, "c3", 30),
            change(What::Released, "c3", 35),
        ];
        let history = spans(&after(6)).with_changes(&log);
        let cases = [
            (3, "unknown Some(20) -"),
            (12, "held c1"),
            (15, "unknown Some(20) -"),
            (32, "held c3"),
        ];
        for (minute, expected) in cases {
            assert_eq!(told(&history, minute), expected, "minute {minute}");
        }
        assert_eq!(history.spans.len(), 5, "c3 is there once");
    }

    #[test]
    fn a_holder_whose_end_no_log_shows_is_only_perhaps() {
        let log = [change(What::Held, "c1", 10)];
        let history = spans(&after(6)).with_changes(&log);
        assert_eq!(told(&history, 12), "unknown Some(20) c1");
        // Nor does the record know of it: the store was set back.
        let history = spans(&after(1)).with_changes(&log);
        assert_eq!(told(&history, 12), "unknown None c1");
        assert_eq!(told(&history, 7), "free c0 c1");
    }

    #[test]
    fn passing_on_ends_one_and_begins_the_next() {
        let log = [
            change(What::Held, "c1", 1),
            change(What::PassedOn, "c2", 2),
            change(What::Republished, "c2", 3),
            change(What::Reclaimed, "c2", 4),
        ];
        let history = History::default().with_changes(&log);
        let got: Vec<_> = (0..5).map(|minute| told(&history, minute)).collect();
        let expected = ["free - c1", "held c1", "held c2", "held c2", "free c2 -"];
        assert_eq!(got, expected);
    }

    #[test]
    fn of_two_that_overlap_the_later_one_is_named() {
        // The second node's clock is behind.
        let record = unused().held_by(holder("a", 10)).released(moment(20));
        let history = spans(&record.held_by(holder("b", 15)));
        assert_eq!(told(&history, 12), "held a");
        assert_eq!(told(&history, 17), "held b");
    }
}
