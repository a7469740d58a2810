//! What is asked of the allocator, and what it gives.

use std::net::IpAddr;

use berth_store::Revision;
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, Holder, Incarnation, MacAddr, NetnsRef, NodeId,
    Phase, PodRef, PoolName, PoolRecord, ReservationId, SchemaVersion, Subnet,
};
use jiff::Timestamp;

/// A container's interface asks for an address of each family that its pool has.
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
    /// Where the addresses are to come from: the first of these that can give them.
    ///
    /// May be empty with a `reservation`, which names its own.
    pub pools: Vec<PoolName>,
    /// The addresses asked for, at most one of each family; any for the families not named.
    pub exact: Vec<IpAddr>,
    /// The workload whose reserved set the addresses are to be drawn from.
    pub reservation: Option<ReservationId>,
    /// Whether the pod's interface is to keep its addresses over the pod's lives.
    pub stickiness: Stickiness,
    /// The hardware address the interface will bear, when it does not follow from the address.
    pub mac: Option<MacAddr>,
}

/// Whether addresses are kept for a pod's interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stickiness {
    /// As the pool says.
    #[default]
    AsPool,
    /// They are, whatever the pool says.
    Sticky,
    /// They are not, whatever the pool says.
    Loose,
}

impl Request {
    /// A request for any address of the first of these pools that has one.
    pub const fn new(
        attachment: AttachmentId,
        incarnation: Incarnation,
        pools: Vec<PoolName>,
    ) -> Self {
        Self {
            attachment,
            incarnation,
            pod: None,
            netns: None,
            pools,
            exact: Vec::new(),
            reservation: None,
            stickiness: Stickiness::AsPool,
            mac: None,
        }
    }

    /// The reservation that a sticky interface of the request's pod has; `None` without a pod that
    /// has a namespace and a name.
    pub(crate) fn sticky_id(&self) -> Option<ReservationId> {
        let pod = self.pod.as_ref()?;
        Some(ReservationId::Pod {
            namespace: pod.namespace.parse().ok()?,
            pod: pod.name.parse().ok()?,
            ifname: self.attachment.ifname.clone(),
        })
    }

    /// The pod's namespace; `None` for a container of no pod.
    pub(crate) fn namespace(&self) -> Option<&str> {
        let namespace = self.pod.as_ref().map(|pod| pod.namespace.as_str());
        namespace.filter(|name| !name.is_empty())
    }

    /// The holder that this request makes of `addresses` at `now`.
    pub(crate) fn holder(&self, addresses: &[IpAddr], now: Timestamp) -> Holder {
        Holder {
            attachment: self.attachment.clone(),
            incarnation: self.incarnation.clone(),
            pod: self.pod.clone(),
            mac: self.mac(addresses),
            since: now,
        }
    }

    /// The hardware address of an interface with `addresses`: the one asked for, or the one that
    /// follows from the first of them, IPv4 before IPv6.
    fn mac(&self, addresses: &[IpAddr]) -> MacAddr {
        let first = addresses.iter().min().copied();
        let first = first.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        self.mac.unwrap_or_else(|| MacAddr::of_address(first))
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

/// Addresses that were given, and what the container needs to use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The pool they are from.
    pub pool: PoolName,
    /// The addresses: one of each family of the pool, IPv4 first.
    pub addresses: Vec<Leased>,
    /// The hardware address written down for them.
    pub mac: MacAddr,
    /// The revision at which addresses and attachment were written.
    pub revision: Revision,
}

/// One address of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The address.
    pub address: IpAddr,
    /// Its subnet: prefix length, gateway, routes, VLAN.
    pub subnet: Subnet,
    /// The address's record as it was written.
    pub record: AddressRecord,
}

impl Lease {
    /// The lease of addresses whose records name their holder; `None` when the pool does not
    /// contain one, when nobody holds one, or without any.
    pub(crate) fn new(
        pool: &PoolRecord,
        records: Vec<(IpAddr, AddressRecord)>,
        revision: Revision,
    ) -> Option<Self> {
        let (_, first) = records.first()?;
        let (name, mac) = (first.pool.clone(), first.holder.as_ref()?.mac);
        let leased = |(address, record)| {
            let subnet = pool.subnet_of(address)?.clone();
            Some(Leased {
                address,
                subnet,
                record,
            })
        };
        let mut addresses: Vec<_> = records.into_iter().map(leased).collect::<Option<_>>()?;
        addresses.sort_by_key(|leased| leased.address);
        Some(Self {
            pool: name,
            addresses,
            mac,
            revision,
        })
    }
}
