//! What one observer saw at earlier looks, from which alone ages are measured.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::Revision;
use berth_types::{Record, SchemaVersion};
use serde::{Deserialize, Serialize};

use super::{Gone, Monotonic};

/// What one observer saw at earlier looks. Kept by the caller between passes, one per store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observations {
    v: SchemaVersion,
    /// Who looked, and in which boot: another's clock means nothing.
    observer: String,
    boot_id: String,
    /// The latest look.
    pub(super) last: Monotonic,
    /// The highest revision of the store seen.
    pub(super) high: Revision,
    pub(super) seen: BTreeMap<IpAddr, Observed>,
}

impl Record for Observations {}

/// One held address, unchanged since it was first seen so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Observed {
    /// When the address's record was written.
    pub(super) address: Revision,
    /// When its attachment's was.
    pub(super) attachment: Revision,
    /// The first look at both.
    pub(super) first: Monotonic,
    /// The first of the looks without a break that found the container gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gone: Option<GoneSince>,
}

/// Since when a container is found gone, on the same kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GoneSince {
    pub(super) since: Monotonic,
    pub(super) by_own_node: bool,
}

impl Observations {
    /// Those of an observer that has not looked yet. `observer` is a name of its own, `boot_id` its
    /// machine's.
    pub fn none(observer: &str, boot_id: &str) -> Self {
        Self {
            v: SchemaVersion,
            observer: observer.to_owned(),
            boot_id: boot_id.to_owned(),
            last: Monotonic::default(),
            high: Revision::ABSENT,
            seen: BTreeMap::new(),
        }
    }

    /// What was kept, if this observer saw it in this boot and before `now`; else it starts anew,
    /// which only delays. An empty `boot_id` is no boot.
    #[must_use]
    pub fn resume(kept: Option<Self>, observer: &str, boot_id: &str, now: Monotonic) -> Self {
        let mine = |kept: &Self| {
            kept.observer == observer
                && kept.boot_id == boot_id
                && !boot_id.is_empty()
                && kept.last <= now
        };
        let fresh = || Self::none(observer, boot_id);
        kept.filter(mine).unwrap_or_else(fresh)
    }

    /// Those of the same observer after a look, with nothing seen yet.
    pub(super) fn next(&self, revision: Revision, now: Monotonic) -> Self {
        Self {
            last: now,
            high: revision,
            ..Self::none(&self.observer, &self.boot_id)
        }
    }

    /// What is seen of an address at `now`, given what was seen before.
    pub(super) fn observe(
        &self,
        address: IpAddr,
        (written, attached): (Revision, Revision),
        gone: Option<Gone>,
        now: Monotonic,
    ) -> Observed {
        let before = self.seen.get(&address);
        let before = before.filter(|b| b.address == written && b.attachment == attached);
        let gone = gone.map(|gone| GoneSince {
            since: now,
            by_own_node: gone.by_own_node(),
        });
        let earlier = before.and_then(|b| b.gone);
        let same = |e: &GoneSince| gone.is_some_and(|g| g.by_own_node == e.by_own_node);
        Observed {
            address: written,
            attachment: attached,
            first: before.map_or(now, |b| b.first),
            gone: earlier.filter(same).or(gone),
        }
    }
}
