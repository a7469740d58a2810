//! The addresses of a lease, as the node's record has them and as the runtime is told.

use berth_ipam::{Lease, Leased};
use berth_types::LocalAddress;

use crate::plan;
use crate::spec::{CniError, Ip};

/// The addresses for the record.
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
