//! Reading what a release is decided from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use berth_store::{Answer, Read, Revision, Store, StoreError};
use berth_types::{AddressRecord, AttachmentId, AttachmentRecord, BadRecord, keys};

use crate::record::{decode, one};

/// How many keys are asked for in one request; etcd allows 128 operations.
const KEYS_PER_READ: usize = 100;

/// A key's record with the revision that wrote it, or why it cannot be read; `None` for no key.
pub(super) type Seen<R> = Option<(Revision, Result<R, BadRecord>)>;

/// What the store holds of some addresses and of their holders' attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub(super) addresses: BTreeMap<IpAddr, Seen<AddressRecord>>,
    pub(super) attachments: BTreeMap<AttachmentId, Seen<AttachmentRecord>>,
}

/// Reads the addresses, and the attachments of those that are held.
///
/// # Errors
/// [`StoreError`].
pub async fn look(store: &impl Store, addresses: &BTreeSet<IpAddr>) -> Result<View, StoreError> {
    let keys_of = addresses.iter().map(|address| keys::address(*address));
    let seen = get_all::<AddressRecord>(store, keys_of.collect()).await?;
    let addresses: BTreeMap<_, _> = addresses.iter().copied().zip(seen).collect();
    let holders: BTreeSet<_> = addresses.values().flatten().filter_map(holder).collect();
    let holders: Vec<_> = holders.into_iter().cloned().collect();
    let keys_of = holders.iter().map(keys::attachment).collect();
    let seen = get_all::<AttachmentRecord>(store, keys_of).await?;
    Ok(View {
        addresses,
        attachments: holders.into_iter().zip(seen).collect(),
    })
}

fn holder((_, record): &(Revision, Result<AddressRecord, BadRecord>)) -> Option<&AttachmentId> {
    Some(&record.as_ref().ok()?.holder.as_ref()?.attachment)
}

/// One answer per key, in their order.
async fn get_all<R: berth_types::Record>(
    store: &impl Store,
    keys: Vec<String>,
) -> Result<Vec<Seen<R>>, StoreError> {
    let mut found = Vec::new();
    for some in keys.chunks(KEYS_PER_READ) {
        let reads: Vec<_> = some
            .iter()
            .map(|key| Read::Get(key.as_str().into()))
            .collect();
        let answer = store.read(&reads).await?;
        found.extend((0..some.len()).map(|n| seen(&answer, n)));
    }
    Ok(found)
}

fn seen<R: berth_types::Record>(answer: &Answer, n: usize) -> Seen<R> {
    let entry = one(answer, n)?;
    Some((entry.revision, decode(entry).map(|(_, record)| record)))
}
