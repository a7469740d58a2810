//! Comparing our counters with the devices' own.

use std::collections::BTreeMap;
use std::io;

use berth_ebpf_common::Count;

use super::apply::Ways;
use super::{Engine, Look};
use crate::kernel::hooks::{AttachError, Hooks};
use crate::kernel::removals::Removed;
use crate::ledger::{Place, Store, add_count};
use crate::model::Mode;

impl<S: Store, H: Hooks> Engine<S, H> {
    /// Takes over what devices counted that no program counts.
    ///
    /// # Errors
    /// The kernel's.
    pub fn poll_devices(&mut self) -> io::Result<()> {
        for (slot, _, mode) in self.live() {
            if mode.contains(&Mode::Device) {
                self.make_up(slot, Ways::OfDevice)?;
            }
        }
        Ok(())
    }

    /// Looks at every device: notes its counters, by how much they differ from ours, whether filters
    /// are gone, and whether something counts twice.
    pub fn audit(&mut self, stop: &dyn Fn() -> bool) {
        let mut looks = BTreeMap::new();
        let mut duplicates = BTreeMap::new();
        for (slot, place, mode) in self.live() {
            if stop() {
                return;
            }
            match self.hooks.examine(&place) {
                Ok(look) => {
                    let drift = self.drift(
                        slot,
                        [
                            look.device.counts.receive.count,
                            look.device.counts.transmit.count,
                        ],
                    );
                    let counts = look.device.counts;
                    let ifindex = look.device.ifindex;
                    let known = Look {
                        ifindex,
                        counts,
                        drift,
                    };
                    looks.insert(slot, known);
                    if lacks_filter(mode, look.filters) {
                        self.lost.insert(slot);
                    }
                    let more = look.links.map(|links| links.saturating_sub(1));
                    if more != [0; 2] {
                        self.lost.insert(slot);
                        duplicates.insert(slot, more);
                    }
                }
                // Its record goes in a moment.
                Err(AttachError::Gone) => {}
                Err(error) => {
                    let mut notes = self.shared.notes();
                    *notes.troubles.audit.entry(error.reason()).or_default() += 1;
                }
            }
        }
        let mut notes = self.shared.notes();
        notes.looks = looks;
        notes.troubles.duplicates = duplicates;
    }

    /// Looks at the filters of the node's own devices of which something was removed. Answers whether
    /// one of ours is gone.
    pub fn check(&mut self, removed: &Removed) -> bool {
        if removed.is_nothing() {
            return false;
        }
        let mut lost = false;
        for (slot, place, mode) in self.live() {
            let known = self
                .shared
                .notes()
                .looks
                .get(&slot)
                .map(|look| look.ifindex);
            let concerned = matches!(place, Place::Node { .. })
                && mode.contains(&Mode::Clsact)
                && known.is_none_or(|ifindex| removed.is_of(ifindex));
            let look = concerned.then(|| self.hooks.examine(&place));
            if let Some(Ok(look)) = look
                && lacks_filter(mode, look.filters)
            {
                lost |= self.lost.insert(slot);
            }
        }
        lost
    }

    /// In packets: a macvlan counts the header of its neighbours' broadcasts twice, so that its bytes
    /// are more than there were. The device was read first: what it has more than we is what we have
    /// missed; what we have more than it may have come since.
    fn drift(&self, slot: u32, device: [Count; 2]) -> Option<[f64; 2]> {
        let ledger = self.shared.ledger();
        let found = ledger.slots().get(&slot)?;
        let ours = ledger.store().counted(slot).by_device();
        let mut drift = [0.0; 2];
        let all = ours.into_iter().zip(found.identity.accounted()).zip(device);
        for (drift, ((mut ours, base), device)) in drift.iter_mut().zip(all) {
            add_count(&mut ours, base);
            *drift = ratio(device.packets.saturating_sub(ours.packets), device.packets);
        }
        Some(drift)
    }

    fn live(&self) -> Vec<(u32, Place, [Mode; 2])> {
        let ledger = self.shared.ledger();
        let live = ledger
            .slots()
            .iter()
            .filter(|(_, found)| found.ended.is_none());
        live.map(|(slot, found)| (*slot, found.identity.place.clone(), found.identity.mode))
            .collect()
    }
}

fn lacks_filter(mode: [Mode; 2], there: [bool; 2]) -> bool {
    let mut ways = mode.into_iter().zip(there);
    ways.any(|(mode, there)| mode == Mode::Clsact && !there)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a ratio for people"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
