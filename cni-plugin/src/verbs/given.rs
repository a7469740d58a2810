//! What an interface was given, whoever gave it, as the node's record has it and as the runtime is
//! told.

use std::net::IpAddr;

use berth_ipam::{Lease, Leased};
use berth_types::{LocalAddress, MacAddr, PoolName, Subnet};
use ipnetwork::IpNetwork;

use crate::delegate::{Answer, Assigned};
use crate::plan;
use crate::spec::{CniError, Code, Dns, Ip, RouteEntry};

/// What an interface was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// By Berth's own IPAM.
    Lease(Lease),
    /// By another plugin, for an interface with that hardware address.
    Answer { answer: Answer, mac: MacAddr },
}

impl Given {
    /// Its addresses, each with its subnet as far as that is known.
    ///
    /// # Errors
    /// Code 999 for an address that has no subnet.
    pub(super) fn addresses(&self) -> Result<Vec<(IpAddr, Subnet)>, CniError> {
        match self {
            Self::Lease(lease) => {
                let leased = lease.addresses.iter();
                Ok(leased.map(|l| (l.address, l.subnet.clone())).collect())
            }
            Self::Answer { answer, .. } => answer.addresses.iter().map(subnet_of).collect(),
        }
    }

    /// Its addresses for the node's record.
    ///
    /// # Errors
    /// As [`addresses`].
    pub(super) fn local_addresses(&self) -> Result<Vec<LocalAddress>, CniError> {
        match self {
            Self::Lease(lease) => addresses(lease),
            Self::Answer { answer, .. } => {
                let local = |assigned: &Assigned| LocalAddress {
                    cidr: assigned.cidr,
                    gateway: assigned.gateway,
                    record: None,
                };
                Ok(answer.addresses.iter().map(local).collect())
            }
        }
    }

    /// The routes to be set. A lease's lead by its gateways; another plugin lists its own.
    pub(super) fn routes(&self) -> Vec<RouteEntry> {
        match self {
            Self::Lease(lease) => routes(lease),
            Self::Answer { answer, .. } => answer.routes.clone(),
        }
    }

    /// Name servers that came with the addresses.
    pub(super) fn dns(&self) -> Dns {
        match self {
            Self::Lease(_) => Dns::default(),
            Self::Answer { answer, .. } => answer.dns.clone(),
        }
    }

    /// The interface's hardware address.
    pub(super) const fn mac(&self) -> MacAddr {
        match self {
            Self::Lease(Lease { mac, .. }) | Self::Answer { mac, .. } => *mac,
        }
    }

    /// The pool they are from.
    pub(super) const fn pool(&self) -> Option<&PoolName> {
        match self {
            Self::Lease(lease) => Some(&lease.pool),
            Self::Answer { .. } => None,
        }
    }

    /// The store's revision that gave them.
    pub(super) const fn revision(&self) -> Option<u64> {
        match self {
            Self::Lease(lease) => Some(lease.revision.0),
            Self::Answer { .. } => None,
        }
    }

    /// Those that somebody may have on the wire. Of what another plugin gives nothing is known.
    pub(super) fn doubtful(&self) -> Vec<IpAddr> {
        match self {
            Self::Lease(lease) => {
                let doubtful = lease.addresses.iter().filter(|l| l.record.unproven);
                doubtful.map(|leased| leased.address).collect()
            }
            Self::Answer { .. } => Vec::new(),
        }
    }
}

/// The subnet that an address says it is in.
fn subnet_of(Assigned { cidr, gateway }: &Assigned) -> Result<(IpAddr, Subnet), CniError> {
    let network = IpNetwork::new(cidr.network(), cidr.prefix());
    let network = network.map_err(|error| CniError::new(Code::Internal, error.to_string()))?;
    let subnet = Subnet {
        cidr: network,
        gateway: *gateway,
        range: None,
        exclude: Vec::new(),
        vlan: None,
        routes: Vec::new(),
    };
    Ok((cidr.ip(), subnet))
}

/// The addresses of a lease for the record.
///
/// # Errors
/// As [`plan::cidr`].
pub(super) fn addresses(lease: &Lease) -> Result<Vec<LocalAddress>, CniError> {
    let address = |leased: &Leased| {
        Ok(LocalAddress {
            cidr: plan::cidr(leased.address, &leased.subnet)?,
            gateway: leased.subnet.gateway,
            record: Some(leased.record.clone()),
        })
    };
    lease.addresses.iter().map(address).collect()
}

/// The routes of a lease, in the order of its addresses.
pub(super) fn routes(lease: &Lease) -> Vec<RouteEntry> {
    let subnets = lease.addresses.iter().map(|leased| &leased.subnet);
    subnets.flat_map(plan::routes_of).collect()
}

/// The addresses for the result; `interface` is the place of theirs in its list, and absent in a
/// delegated plugin's.
pub(super) fn ips(addresses: &[LocalAddress], interface: Option<usize>) -> Vec<Ip> {
    let ip = |address: &LocalAddress| Ip {
        address: address.cidr,
        gateway: address.gateway,
        interface,
    };
    addresses.iter().map(ip).collect()
}
