//! The attachment records, as far as containers are concerned.

use std::collections::BTreeMap;

use super::decide::PodRecord;
use crate::engine::Shared;
use crate::ledger::{Identity, Store};

/// The pods that have records, the first interface of each first; `None` before anybody looked.
pub fn records<S: Store>(shared: &Shared<S>) -> Option<Vec<PodRecord>> {
    let mut pods = shared.notes().pods.clone()?;
    pods.sort_by(|a, b| a.ifname.cmp(&b.ifname));
    let ledger = shared.ledger();
    let live = ledger
        .slots()
        .iter()
        .filter(|(_, slot)| slot.ended.is_none());
    let slots: BTreeMap<_, u32> = live
        .map(|(number, slot)| (slot.identity.life(), *number))
        .collect();
    let record = |identity: Identity| PodRecord {
        sandbox: identity.container.to_string(),
        slot: slots.get(&identity.life()).copied(),
        pod: identity.pod,
    };
    Some(pods.into_iter().map(record).collect())
}
