//! Where what is in this version's maps, so that any other version can read them.

use std::mem::offset_of;
use std::path::Path;

use aya::maps::{Array, Map, MapError};
use berth_ebpf_common as abi;
use berth_ebpf_common::{DetailValue, Direction, Owner, SlotValue, Totals, Workload};
use serde::{Deserialize, Serialize};

use crate::kernel::bpf::MapShape;
use crate::kernel::maps::{self, MapsError};

/// The name of its pin.
const NAME: &str = "layout";
/// Room for it: JSON, padded with spaces.
pub(super) const BYTES: usize = 2048;

const SHAPE: MapShape = MapShape {
    kind: 2,
    key: 4,
    value: 2048,
    entries: 1,
    flags: 0,
};

/// Offsets and sizes in bytes. A version that changes one of these maps says so here; one that has
/// more to say adds a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    /// The version.
    pub abi: u32,
    /// How many slots there are.
    pub slots: u32,
    /// Values of a slot.
    pub shards: u32,
    /// Bytes of one.
    pub slot: usize,
    /// In it, receive and transmit: counts by scope.
    pub scopes: [usize; 2],
    /// In it, receive and transmit: what the device has not.
    pub surplus: [usize; 2],
    /// Values of a slot's details.
    pub detail_shards: u32,
    /// Bytes of one.
    pub detail: usize,
    /// In it, receive and transmit: counts by protocol and family.
    pub details: [usize; 2],
    /// Bytes of an owner.
    pub owner: usize,
    /// In it: state, length of the identity, generation, beginning, flags, base, identity.
    pub owner_fields: [usize; 7],
    /// Bytes of a workload.
    pub workload: usize,
    /// In it: slot, length of the identity, generation, beginning, totals, identity.
    pub workload_fields: [usize; 6],
    /// In totals: counts by scope, receive and transmit.
    pub total_scopes: [usize; 2],
    /// In totals: counts by protocol and family, receive and transmit.
    pub total_details: [usize; 2],
}

impl Layout {
    /// That of this version.
    pub const fn own() -> Self {
        const RECEIVE: usize = offset_of!(SlotValue, receive);
        const TRANSMIT: usize = offset_of!(SlotValue, transmit);
        Self {
            abi: abi::ABI,
            slots: abi::SLOTS,
            shards: abi::SHARDS,
            slot: size_of::<SlotValue>(),
            scopes: [
                RECEIVE + offset_of!(Direction, scopes),
                TRANSMIT + offset_of!(Direction, scopes),
            ],
            surplus: [
                RECEIVE + offset_of!(Direction, surplus),
                TRANSMIT + offset_of!(Direction, surplus),
            ],
            detail_shards: abi::DETAIL_SHARDS,
            detail: size_of::<DetailValue>(),
            details: [
                offset_of!(DetailValue, receive),
                offset_of!(DetailValue, transmit),
            ],
            owner: size_of::<Owner>(),
            owner_fields: [
                offset_of!(Owner, state),
                offset_of!(Owner, identity_len),
                offset_of!(Owner, generation),
                offset_of!(Owner, created_ns),
                offset_of!(Owner, flags),
                offset_of!(Owner, base),
                offset_of!(Owner, identity),
            ],
            workload: size_of::<Workload>(),
            workload_fields: [
                offset_of!(Workload, slot),
                offset_of!(Workload, identity_len),
                offset_of!(Workload, generation),
                offset_of!(Workload, created_ns),
                offset_of!(Workload, totals),
                offset_of!(Workload, identity),
            ],
            total_scopes: [offset_of!(Totals, receive), offset_of!(Totals, transmit)],
            total_details: [
                offset_of!(Totals, receive_detail),
                offset_of!(Totals, transmit_detail),
            ],
        }
    }

    /// Pins it in `folder`.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn write(&self, folder: &Path) -> Result<(), MapsError> {
        let wrong = |source: MapError| MapsError::Unreadable {
            path: folder.join(NAME),
            source,
        };
        let map = Map::Array(maps::open_or_make(folder, NAME, &SHAPE)?);
        let mut array: Array<_, [u8; BYTES]> = map.try_into().map_err(wrong)?;
        let mut text = serde_json::to_vec(self).unwrap_or_default();
        text.resize(BYTES, b' ');
        let mut whole = [b' '; BYTES];
        whole.copy_from_slice(&text);
        array.set(0, whole, 0).map_err(wrong)
    }

    /// That of the maps in `folder`; `None` when it does not say.
    pub fn read(folder: &Path) -> Option<Self> {
        let map = Map::Array(maps::open(folder, NAME, &SHAPE).ok()?);
        let array: Array<_, [u8; BYTES]> = map.try_into().ok()?;
        serde_json::from_slice(&array.get(&0, 0).ok()?).ok()
    }
}
