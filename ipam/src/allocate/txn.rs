//! The transaction that gives addresses, and how a refusal of it reads. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::{Answer, Compare, KeyRange, Lineage, Read, Revision, Txn, Write};
use berth_types::{
    AddressRecord, AttachmentRecord, Block, BlockRecord, NodeName, NodeRecord, PoolRecord,
    Record as _, ReservationRecord, SchemaVersion, keys,
};

use super::asking::{Asking, Extras, Keep};
use crate::clock::Clock;
use crate::hint::{Hint, Pick, SlotHint, Witness};
use crate::record::{one, parse, slots};
use crate::{IpamError, NodeIdentity};

/// What the choice of addresses rests on.
pub(super) struct Ground {
    /// The pool as it was seen.
    pub(super) pool: (Revision, PoolRecord),
    /// An attachment of this node that a store that was not set back must still hold.
    pub(super) witness: Option<Witness>,
    /// The highest revision that has been seen of the store.
    pub(super) high: Revision,
    /// Which store that was.
    pub(super) lineage: Option<Lineage>,
    /// The revision of this machine's record; [`Revision::ABSENT`] to claim the node's name.
    pub(super) node: Revision,
}

impl Ground {
    /// What `hint` knows besides the pool.
    pub(super) fn of(hint: &Hint, pool: (Revision, PoolRecord)) -> Self {
        Self {
            pool,
            witness: hint.witness().cloned(),
            high: hint.high,
            lineage: hint.lineage.clone(),
            node: hint.node.unwrap_or(Revision::ABSENT),
        }
    }
}

/// One transaction: if nothing changed, the addresses are held and the attachment says so.
///
/// `claims` are the blocks that are claimed with it, `records` what the addresses' keys become.
pub(super) fn allocate(
    asking: &Asking<'_>,
    node: &NodeIdentity,
    ground: &Ground,
    (picks, claims, records): (&[Pick], &[Block], &[AddressRecord]),
) -> Txn {
    let request = asking.request;
    let attachment = keys::attachment(&request.attachment);
    let mut compares = vec![
        Compare::at(attachment.as_str(), asking.replaced),
        Compare::absent(keys::CLOSED),
        Compare::at(keys::pool(asking.pool), ground.pool.0),
        Compare::at(keys::node(&node.name), ground.node),
    ];
    // A record that is being replaced may be its own witness.
    let witness = ground.witness.as_ref();
    let witness = witness.filter(|witness| witness.id != request.attachment);
    compares.extend(witness.map(|w| Compare::at(keys::attachment(&w.id), w.revision)));
    let addresses: Vec<_> = picks.iter().map(|pick| pick.address).collect();
    let attached = request.record(&node.id, addresses.clone());
    let mut writes = vec![Write::put(attachment.as_str(), attached.encode())];
    if ground.node == Revision::ABSENT {
        // Whoever allocates first under a name has it.
        writes.push(Write::put(keys::node(&node.name), node.record().encode()));
    }
    for (pick, record) in picks.iter().zip(records) {
        let key = keys::address(pick.address);
        // Without this an address has two holders, which the torture test must notice.
        #[cfg(not(feature = "planted-bug"))]
        compares.push(Compare::at(key.as_str(), pick.revision));
        writes.push(Write::put(key, record.encode()));
    }
    for block in claims {
        let key = keys::block(asking.pool, block.first);
        compares.push(Compare::absent(key.as_str()));
        let claim = BlockRecord {
            v: SchemaVersion,
            node: node.name.clone(),
        };
        writes.push(Write::put(key, claim.encode()));
    }
    if let Some(keep) = &asking.keep {
        let Extras {
            compares: further,
            writes: changes,
        } = kept(asking, keep, addresses);
        compares.extend(further);
        writes.extend(changes);
    }
    Txn {
        compares,
        writes,
        otherwise: questions(asking, node, witness, picks),
    }
}

/// The reservation that the addresses are kept in, as it is once they are given.
fn kept(asking: &Asking<'_>, keep: &Keep, addresses: Vec<IpAddr>) -> Extras {
    let Keep {
        id,
        revision,
        policy,
        addresses: former,
        extras,
    } = keep;
    let key = keys::reservation(id);
    let mut all = extras.clone();
    all.compares.push(Compare::at(key.as_str(), *revision));
    if *revision != Revision::ABSENT && *former == addresses {
        return all;
    }
    let record = ReservationRecord {
        v: SchemaVersion,
        pool: asking.pool.clone(),
        addresses,
        policy: *policy,
        since: asking.now,
    };
    all.writes.push(Write::put(key, record.encode()));
    all
}

/// What is asked when the transaction is refused.
fn questions(
    asking: &Asking<'_>,
    node: &NodeIdentity,
    witness: Option<&Witness>,
    picks: &[Pick],
) -> Vec<Read> {
    let attachment = keys::attachment(&asking.request.attachment);
    // Without a witness, what stands in its place is not looked at.
    let (witness, address) = witness.map_or_else(
        || (attachment.clone(), attachment.clone()),
        |w| (keys::attachment(&w.id), keys::address(w.address)),
    );
    let mut reads = vec![
        Read::Get(attachment.into_bytes()),
        Read::Get(keys::CLOSED.into()),
        Read::Get(keys::pool(asking.pool).into_bytes()),
        Read::Get(witness.into_bytes()),
        Read::Get(address.into_bytes()),
        Read::Get(keys::node(&node.name).into_bytes()),
    ];
    for pick in picks {
        reads.push(Read::Get(
            keys::block(asking.pool, pick.block.first).into_bytes(),
        ));
        reads.push(Read::List(block_range(pick.block)));
    }
    let kept = asking.keep.as_ref();
    reads.extend(kept.map(|keep| Read::Get(keys::reservation(&keep.id).into())));
    reads
}

/// How many questions come before those about the blocks.
const BEFORE_BLOCKS: usize = 6;

/// Every address key of a block.
pub(crate) fn block_range(block: Block) -> KeyRange {
    KeyRange::inclusive(keys::address(block.first), keys::address(block.last()))
}

/// What the store said instead.
pub(super) struct Refusal {
    pub(super) attachment: Option<(Revision, AttachmentRecord)>,
    pub(super) closed: Option<String>,
    pub(super) pool: Option<(Revision, PoolRecord)>,
    pub(super) witness: Option<Revision>,
    /// The record of the witness's address; none also when it cannot be read.
    pub(super) witness_address: Option<(Revision, AddressRecord)>,
    /// The node's own record.
    pub(super) node: Option<(Revision, NodeRecord)>,
    /// When the reservation that the addresses were to be kept in was written.
    pub(super) kept: Revision,
    /// Of each pick's block.
    pub(super) blocks: Vec<(Owner, BTreeMap<IpAddr, SlotHint>)>,
}

/// Whose a block is.
pub(super) enum Owner {
    /// It has no record.
    Nobody,
    /// That node's.
    Node(NodeName),
    /// Somebody's: the record cannot be read.
    Other,
}

/// Reads a refusal of [`allocate`]'s transaction.
///
/// # Errors
/// The attachment's or the pool's record is malformed or newer than this program. Addresses of
/// which that is true count as held, a block as somebody's.
pub(super) fn read_refusal(
    answer: &Answer,
    blocks: &[Block],
    clock: Clock,
) -> Result<Refusal, IpamError> {
    let of_block = |(n, block): (usize, &Block)| {
        let at = BEFORE_BLOCKS + 2 * n;
        let owner = match parse::<BlockRecord>(answer, at) {
            Ok(Some((_, record))) => Owner::Node(record.node),
            Ok(None) => Owner::Nobody,
            Err(_) => Owner::Other,
        };
        (owner, slots(answer, at + 1, *block, clock))
    };
    Ok(Refusal {
        attachment: parse(answer, 0)?,
        closed: one(answer, 1).map(closing_reason),
        pool: parse(answer, 2)?,
        witness: one(answer, 3).map(|entry| entry.revision),
        witness_address: parse(answer, 4).unwrap_or_default(),
        node: parse(answer, 5)?,
        kept: one(answer, BEFORE_BLOCKS + 2 * blocks.len())
            .map_or(Revision::ABSENT, |entry| entry.revision),
        blocks: blocks.iter().enumerate().map(of_block).collect(),
    })
}

/// Why the store is closed, also by a record that cannot be read.
pub(super) fn closing_reason(entry: &berth_store::Entry) -> String {
    crate::record::decode::<berth_types::ClosedRecord>(entry).map_or_else(
        |_| String::from_utf8_lossy(&entry.value).into_owned(),
        |(_, record)| record.reason,
    )
}
