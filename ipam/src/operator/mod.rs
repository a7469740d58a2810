//! An operator takes addresses away from their holders: decided on what was shown, and made only
//! if nothing of it changed since.
//!
//! [`look`] reads, [`plan`] decides, [`Release::commit`] makes one attachment's release.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use berth_store::{Answer, Compare, Outcome, Read, Revision, Store, StoreError, Txn, Write};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, BadRecord, Holder, Record as _, keys,
};
use jiff::Timestamp;

use crate::record::{decode, one};

/// How many keys are asked for in one request; etcd allows 128 operations.
const KEYS_PER_READ: usize = 100;

/// A key's record with the revision that wrote it, or why it cannot be read; `None` for no key.
type Seen<R> = Option<(Revision, Result<R, BadRecord>)>;

/// What the store holds of some addresses and of their holders' attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    addresses: BTreeMap<IpAddr, Seen<AddressRecord>>,
    attachments: BTreeMap<AttachmentId, Seen<AttachmentRecord>>,
}

/// What is to be done about the addresses an operator named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One release per attachment that holds some of them, in the order of the attachments.
    pub releases: Vec<Release>,
    /// The addresses that are left as they are, in order.
    pub untouched: Vec<(IpAddr, Untouched)>,
}

/// Why an address is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untouched {
    /// It has no record: nobody ever held it.
    NeverHeld,
    /// Nobody holds it.
    Free {
        /// The revision that says so.
        revision: Revision,
        /// What it says.
        record: Box<AddressRecord>,
    },
    /// Its record, or that of its holder's attachment, must not be touched.
    Unreadable(BadRecord),
}

/// The release of some addresses of one attachment, with everything it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Whose addresses they are.
    pub attachment: AttachmentId,
    /// The addresses, in order, each held by that attachment.
    pub addresses: Vec<Held>,
    attached: Option<(Revision, AttachmentRecord)>,
}

/// An address that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The address.
    pub address: IpAddr,
    /// When its record was written.
    pub revision: Revision,
    /// Who holds it.
    pub holder: Holder,
    record: AddressRecord,
}

/// How a planned release ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It was made, at this revision.
    Released(Revision),
    /// Something it rests on changed since it was looked at; nothing was released.
    Changed,
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

/// Decides what the release of the addresses of `view` takes. Pure.
pub fn plan(view: &View) -> Plan {
    let mut releases: BTreeMap<AttachmentId, Release> = BTreeMap::new();
    let mut untouched = Vec::new();
    for (address, seen) in &view.addresses {
        match consider(view, *address, seen.clone()) {
            Err(why) => untouched.push((*address, why)),
            Ok((held, attached)) => {
                let attachment = held.holder.attachment.clone();
                let release = releases.entry(attachment.clone());
                let release = release.or_insert_with(|| Release {
                    attachment,
                    addresses: Vec::new(),
                    attached,
                });
                release.addresses.push(held);
            }
        }
    }
    Plan {
        releases: releases.into_values().collect(),
        untouched,
    }
}

type Considered = (Held, Option<(Revision, AttachmentRecord)>);

fn consider(
    view: &View,
    address: IpAddr,
    seen: Seen<AddressRecord>,
) -> Result<Considered, Untouched> {
    let (revision, record) = seen.ok_or(Untouched::NeverHeld)?;
    let record = record.map_err(Untouched::Unreadable)?;
    let Some(holder) = record.holder.clone() else {
        return Err(Untouched::Free {
            revision,
            record: Box::new(record),
        });
    };
    let attached = view.attachments.get(&holder.attachment).cloned().flatten();
    let attached = attached.map(|(revision, record)| record.map(|record| (revision, record)));
    let attached = attached.transpose().map_err(Untouched::Unreadable)?;
    Ok((
        Held {
            address,
            revision,
            holder,
            record,
        },
        attached,
    ))
}

impl Release {
    /// Makes the release if addresses and attachment are as they were seen.
    ///
    /// The attachment's record loses the addresses, and goes with the last of them.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::OutcomeUnknown`] it may or may not have been made.
    pub async fn commit(
        &self,
        store: &impl Store,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        Ok(match store.commit(&self.txn(now)).await? {
            Outcome::Committed(revision) => Committed::Released(revision),
            Outcome::Refused(_) => Committed::Changed,
        })
    }

    fn txn(&self, now: Timestamp) -> Txn {
        let attachment = keys::attachment(&self.attachment);
        let attached_at = self
            .attached
            .as_ref()
            .map_or(Revision::ABSENT, |(at, _)| *at);
        let mut compares = vec![Compare::at(attachment.as_str(), attached_at)];
        let mut writes = Vec::new();
        for held in &self.addresses {
            let key = keys::address(held.address);
            compares.push(Compare::at(key.as_str(), held.revision));
            writes.push(Write::put(key, held.record.released(now).encode()));
        }
        writes.extend(self.attached.as_ref().and_then(|(_, record)| {
            let left = self.left_of(record)?;
            Some(match left.addresses.as_slice() {
                [] => Write::delete(attachment),
                _ => Write::put(attachment, left.encode()),
            })
        }));
        Txn {
            compares,
            writes,
            otherwise: Vec::new(),
        }
    }

    /// The attachment's record without the addresses; `None` when it names none of them.
    fn left_of(&self, record: &AttachmentRecord) -> Option<AttachmentRecord> {
        let mut left = record.clone();
        left.addresses
            .retain(|address| self.addresses.iter().all(|h| h.address != *address));
        (left.addresses.len() < record.addresses.len()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use berth_types::{Incarnation, MacAddr, Phase, SchemaVersion};

    use super::*;

    const AT: Revision = Revision(7);

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 20, 1, last])
    }

    fn id(container: &str) -> AttachmentId {
        format!("n1/pods/{container}/eth0").parse().unwrap()
    }

    fn held(last: u8, container: &str) -> (IpAddr, Seen<AddressRecord>) {
        let record = AddressRecord::unused("prod".parse().unwrap()).held_by(Holder {
            attachment: id(container),
            incarnation: Incarnation::from_random([1; 16]),
            pod: None,
            mac: MacAddr::of_address(address(last)),
            since: Timestamp::UNIX_EPOCH,
        });
        (address(last), Some((AT, Ok(record))))
    }

    fn attached(container: &str, addresses: &[u8]) -> (AttachmentId, Seen<AttachmentRecord>) {
        let record = AttachmentRecord {
            v: SchemaVersion,
            addresses: addresses.iter().map(|last| address(*last)).collect(),
            pod: None,
            netns: None,
            node_id: "0".repeat(32).parse().unwrap(),
            incarnation: Incarnation::from_random([1; 16]),
            phase: Phase::Live,
        };
        (id(container), Some((Revision(6), Ok(record))))
    }

    fn view<const A: usize, const B: usize>(
        addresses: [(IpAddr, Seen<AddressRecord>); A],
        attachments: [(AttachmentId, Seen<AttachmentRecord>); B],
    ) -> View {
        View {
            addresses: addresses.into(),
            attachments: attachments.into(),
        }
    }

    fn only(plan: Plan) -> Txn {
        assert_eq!(plan.untouched, [], "everything is released");
        let [release] = plan.releases.try_into().expect("one release");
        release.txn(Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_last_address_takes_the_attachment_with_it() {
        let txn = only(plan(&view([held(5, "a")], [attached("a", &[5])])));
        let attachment = keys::attachment(&id("a"));
        let compares = [
            Compare::at(attachment.as_str(), Revision(6)),
            Compare::at(keys::address(address(5)), AT),
        ];
        assert_eq!(txn.compares, compares);
        let [Write::Put { key, value }, deleted] = txn.writes.as_slice() else {
            panic!("{:?}", txn.writes)
        };
        assert_eq!(*key, keys::address(address(5)).into_bytes());
        let record = AddressRecord::decode("x", value).unwrap();
        assert_eq!((record.holder, record.previous.len()), (None, 1));
        assert_eq!(*deleted, Write::delete(attachment));
    }

    #[test]
    fn an_attachment_keeps_its_other_addresses() {
        let txn = only(plan(&view([held(5, "a")], [attached("a", &[5, 6])])));
        let Some(Write::Put { key, value }) = txn.writes.last() else {
            panic!("{:?}", txn.writes)
        };
        assert_eq!(*key, keys::attachment(&id("a")).into_bytes());
        let left = AttachmentRecord::decode("x", value).unwrap();
        assert_eq!(left.addresses, [address(6)]);
    }

    #[test]
    fn two_addresses_of_one_attachment_are_one_transaction() {
        let seen = view(
            [held(5, "a"), held(6, "a"), held(7, "b")],
            [attached("a", &[5, 6])],
        );
        let plan = plan(&seen);
        assert_eq!(plan.releases.len(), 2);
        let txn = plan.releases[0].txn(Timestamp::UNIX_EPOCH);
        assert_eq!((txn.compares.len(), txn.writes.len()), (3, 3));
    }

    #[test]
    fn an_address_without_an_attachment_guards_on_its_absence() {
        let absent = Compare::absent(keys::attachment(&id("a")));
        for seen in [
            view([held(5, "a")], []),
            view([held(5, "a")], [(id("a"), None)]),
        ] {
            let txn = only(plan(&seen));
            assert_eq!(txn.compares[0], absent);
            assert_eq!(txn.writes.len(), 1, "the attachment is not written");
        }
    }

    #[test]
    fn an_attachment_that_names_other_addresses_is_not_written() {
        let txn = only(plan(&view([held(5, "a")], [attached("a", &[9])])));
        assert_eq!(txn.writes.len(), 1);
    }

    #[test]
    fn what_is_free_or_unreadable_is_left_alone() {
        let bad = || BadRecord::Malformed {
            key: "k".into(),
            reason: "r".into(),
        };
        let free = AddressRecord::unused("prod".parse().unwrap());
        let seen = view(
            [
                (address(1), None),
                (address(2), Some((AT, Ok(free.clone())))),
                (address(3), Some((AT, Err(bad())))),
                held(4, "a"),
            ],
            [(id("a"), Some((AT, Err(bad()))))],
        );
        let expected = vec![
            (address(1), Untouched::NeverHeld),
            (
                address(2),
                Untouched::Free {
                    revision: AT,
                    record: Box::new(free),
                },
            ),
            (address(3), Untouched::Unreadable(bad())),
            (address(4), Untouched::Unreadable(bad())),
        ];
        assert_eq!(
            plan(&seen),
            Plan {
                releases: vec![],
                untouched: expected
            }
        );
    }
}
