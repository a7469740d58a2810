//! The transaction that gives an address, and how a refusal of it reads. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::{Answer, Compare, KeyRange, Read, Revision, Txn, Write};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, Block, BlockRecord, NodeName, PoolRecord,
    Record as _, SchemaVersion, keys,
};

use super::Asking;
use crate::hint::{Pick, SlotHint};
use crate::record::{one, parse, slots};
use crate::{IpamError, NodeIdentity};

/// What the choice of an address rests on.
pub(super) struct Ground {
    /// The pool as it was seen.
    pub(super) pool: (Revision, PoolRecord),
    /// An attachment of this node that a store that was not set back must still hold.
    pub(super) witness: Option<(AttachmentId, Revision)>,
    /// The highest revision that has been seen of the store.
    pub(super) high: Revision,
}

/// One transaction: if nothing changed, the address is held and the attachment says so.
///
/// `claims` is the block that is claimed with it, `record` what the address's key becomes.
pub(super) fn allocate(
    asking: &Asking<'_>,
    node: &NodeIdentity,
    ground: &Ground,
    (pick, claims, record): (&Pick, Option<Block>, &AddressRecord),
) -> Txn {
    let request = asking.request;
    let attachment = keys::attachment(&request.attachment);
    let address = keys::address(pick.address);
    let block = keys::block(&request.pool, pick.block.first);
    let mut compares = vec![
        Compare::at(attachment.as_str(), asking.replaced),
        Compare::absent(keys::CLOSED),
        Compare::at(keys::pool(&request.pool), ground.pool.0),
        Compare::at(address.as_str(), pick.revision),
    ];
    // A record that is being replaced may be its own witness.
    let witness = ground
        .witness
        .as_ref()
        .filter(|(id, _)| *id != request.attachment);
    compares.extend(witness.map(|(id, revision)| Compare::at(keys::attachment(id), *revision)));
    let attached = request.record(&node.id, vec![pick.address]);
    let mut writes = vec![
        Write::put(address, record.encode()),
        Write::put(attachment.as_str(), attached.encode()),
    ];
    if claims.is_some() {
        compares.push(Compare::absent(block.as_str()));
        let claim = BlockRecord {
            v: SchemaVersion,
            node: node.name.clone(),
        };
        writes.push(Write::put(block.as_str(), claim.encode()));
    }
    let witness = witness.map_or_else(|| attachment.clone(), |(id, _)| keys::attachment(id));
    let otherwise = vec![
        Read::Get(attachment.into_bytes()),
        Read::Get(keys::CLOSED.into()),
        Read::Get(keys::pool(&request.pool).into_bytes()),
        Read::Get(witness.into_bytes()),
        Read::Get(block.into_bytes()),
        Read::List(block_range(pick.block)),
    ];
    Txn {
        compares,
        writes,
        otherwise,
    }
}

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
    pub(super) block_owner: Owner,
    pub(super) slots: BTreeMap<IpAddr, SlotHint>,
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
pub(super) fn read_refusal(answer: &Answer, block: Block) -> Result<Refusal, IpamError> {
    let closed = one(answer, 1).map(|entry| String::from_utf8_lossy(&entry.value).into_owned());
    Ok(Refusal {
        attachment: parse(answer, 0)?,
        closed,
        pool: parse(answer, 2)?,
        witness: one(answer, 3).map(|entry| entry.revision),
        block_owner: match parse::<BlockRecord>(answer, 4) {
            Ok(Some((_, record))) => Owner::Node(record.node),
            Ok(None) => Owner::Nobody,
            Err(_) => Owner::Other,
        },
        slots: slots(answer, 5, block),
    })
}
