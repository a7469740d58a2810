//! When which address lived where, as the histories tell it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_types::AttachmentId;

use super::Violation;
use crate::torture::history::{Event, Life, Line, Wish};

/// A time during which an interface surely had an address: from the ADD's answer to the call of
/// the DEL, or of the ADD that starts the container anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) address: IpAddr,
    pub(super) life: Life,
    pub(super) wish: Wish,
    pub(super) from_ns: u64,
    /// `None` for one that lives at the end.
    pub(super) until_ns: Option<u64>,
}

impl Interval {
    pub(super) fn lasts_beyond(&self, moment_ns: u64) -> bool {
        self.ends() > moment_ns
    }

    /// When it ends, the end of time for one that lives.
    pub(super) fn ends(&self) -> u64 {
        self.until_ns.unwrap_or(u64::MAX)
    }
}

/// What all histories tell.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) intervals: Vec<Interval>,
    pub(super) violations: Vec<Violation>,
}

/// What the next answer is about.
enum Call {
    Add(Life, Wish),
    Again(Life),
    Other,
}

impl Told {
    /// Takes in one worker's history. No other worker names its attachments.
    pub(super) fn take(&mut self, worker: &str, lines: &[Line]) {
        let mut open: BTreeMap<AttachmentId, Vec<Interval>> = BTreeMap::new();
        let mut call = Call::Other;
        for Line {
            at_ns,
            op: _,
            event,
        } in lines
        {
            match event {
                Event::Add { life, wish } => {
                    self.close(&mut open, &life.attachment, *at_ns);
                    call = Call::Add(life.clone(), wish.clone());
                }
                Event::Again { life } => call = Call::Again(life.clone()),
                Event::Del { life } => {
                    self.close(&mut open, &life.attachment, *at_ns);
                    call = Call::Other;
                }
                Event::Given { addresses, .. } => match std::mem::replace(&mut call, Call::Other) {
                    Call::Add(life, wish) => {
                        let id = life.attachment.clone();
                        open.insert(id, begin(addresses, &life, &wish, *at_ns));
                    }
                    Call::Again(life) => self.stays(&open, life, addresses),
                    Call::Other => {}
                },
                Event::Began | Event::NotGiven { .. } | Event::LateDel { .. } => {
                    call = Call::Other;
                }
                Event::Deleted { .. }
                | Event::NotDeleted { .. }
                | Event::Drained { .. }
                | Event::Ended => {}
            }
        }
        self.intervals.extend(open.into_values().flatten());
        if lines.last().is_none_or(|line| line.event != Event::Ended) {
            self.violations
                .push(Violation::Unfinished(worker.to_owned()));
        }
    }

    fn close(
        &mut self,
        open: &mut BTreeMap<AttachmentId, Vec<Interval>>,
        id: &AttachmentId,
        at_ns: u64,
    ) {
        for mut interval in open.remove(id).into_iter().flatten() {
            interval.until_ns = Some(at_ns);
            self.intervals.push(interval);
        }
    }

    fn stays(
        &mut self,
        open: &BTreeMap<AttachmentId, Vec<Interval>>,
        life: Life,
        addresses: &[IpAddr],
    ) {
        let had = open.get(&life.attachment).into_iter().flatten();
        if !had
            .map(|interval| interval.address)
            .eq(addresses.iter().copied())
        {
            self.violations.push(Violation::Moved(Box::new(life)));
        }
    }
}

fn begin(addresses: &[IpAddr], life: &Life, wish: &Wish, at_ns: u64) -> Vec<Interval> {
    let begun = addresses.iter().map(|address| Interval {
        address: *address,
        life: life.clone(),
        wish: wish.clone(),
        from_ns: at_ns,
        until_ns: None,
    });
    begun.collect()
}
