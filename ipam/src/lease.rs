//! What is asked of the allocator, and what it gives.

use std::net::IpAddr;

use berth_store::Revision;
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, Holder, Incarnation, MacAddr, NetnsRef, NodeId,
    Phase, PodRef, PoolName, PoolRecord, SchemaVersion, Subnet,
};
use jiff::Timestamp;

/// A container's interface asks for an address.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose interface; this makes the request idempotent.
    pub attachment: AttachmentId,
    /// This call's random number.
    pub incarnation: Incarnation,
    /// The pod, when the runtime named one.
    pub pod: Option<PodRef>,
    /// The container's namespace.
    pub netns: Option<NetnsRef>,
    /// Where the address is to come from.
    pub pool: PoolName,
    /// The address asked for; any one when absent.
    pub exact: Option<IpAddr>,
    /// The hardware address the interface will bear, when it does not follow from the address.
    pub mac: Option<MacAddr>,
}

impl Request {
    /// The holder that this request makes of an address at `now`.
    pub(crate) fn holder(&self, address: IpAddr, now: Timestamp) -> Holder {
        Holder {
            attachment: self.attachment.clone(),
            incarnation: self.incarnation.clone(),
            pod: self.pod.clone(),
            mac: self.mac.unwrap_or_else(|| MacAddr::of_address(address)),
            since: now,
        }
    }

    /// The attachment's record once it has `addresses`.
    pub(crate) fn record(&self, node_id: &NodeId, addresses: Vec<IpAddr>) -> AttachmentRecord {
        AttachmentRecord {
            v: SchemaVersion,
            addresses,
            pod: self.pod.clone(),
            netns: self.netns.clone(),
            node_id: node_id.clone(),
            incarnation: self.incarnation.clone(),
            phase: Phase::Live,
        }
    }
}

/// An address that was given, and what the container needs to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The pool it is from.
    pub pool: PoolName,
    /// The address.
    pub address: IpAddr,
    /// Its subnet: prefix length, gateway, routes, VLAN.
    pub subnet: Subnet,
    /// The hardware address written down for it.
    pub mac: MacAddr,
    /// The revision at which address and attachment were written.
    pub revision: Revision,
    /// The address's record as it was written.
    pub record: AddressRecord,
}

impl Lease {
    /// The lease of `address`, whose record names its holder; `None` when the pool does not
    /// contain it or nobody holds it.
    pub(crate) fn new(
        pool: &PoolRecord,
        address: IpAddr,
        revision: Revision,
        record: AddressRecord,
    ) -> Option<Self> {
        Some(Self {
            pool: record.pool.clone(),
            address,
            subnet: pool.subnet_of(address)?.clone(),
            mac: record.holder.as_ref()?.mac,
            revision,
            record,
        })
    }
}
