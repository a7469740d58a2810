//! What operators see: addresses as the store has them.

use std::net::IpAddr;

use berth_store::{KeyRange, Read, Revision, Store, StoreError};
use berth_types::{AddressRecord, BadRecord, keys};

use crate::record::{decode, list};

/// An address that has a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAddress {
    /// The address.
    pub address: IpAddr,
    /// When its record was last written.
    pub revision: Revision,
    /// Its record, or why it cannot be read.
    pub record: Result<AddressRecord, BadRecord>,
}

/// Every address that has a record, in order, all as of one revision.
///
/// # Errors
/// [`StoreError`].
pub async fn addresses(store: &impl Store) -> Result<Vec<StoredAddress>, StoreError> {
    let answer = store
        .read(&[Read::List(KeyRange::prefix(keys::ADDRESSES))])
        .await?;
    let stored = list(&answer, 0).iter().filter_map(|entry| {
        Some(StoredAddress {
            address: keys::parse_address(&entry.key)?,
            revision: entry.revision,
            record: decode(entry).map(|(_, record)| record),
        })
    });
    Ok(stored.collect())
}

/// The record of one address; `None` when it was never held.
///
/// # Errors
/// [`StoreError`].
pub async fn address(
    store: &impl Store,
    address: IpAddr,
) -> Result<Option<StoredAddress>, StoreError> {
    let answer = store
        .read(&[Read::Get(keys::address(address).into())])
        .await?;
    Ok(list(&answer, 0).first().map(|entry| StoredAddress {
        address,
        revision: entry.revision,
        record: decode(entry).map(|(_, record)| record),
    }))
}
