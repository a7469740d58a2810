//! The allocator's pure decisions, against tables and models.

mod asking;
mod judge;
mod scan;
mod workload;

use std::net::IpAddr;

use berth_types::{
    AddressRecord, BlockSize, Holder, Incarnation, MacAddr, PodRef, PoolName, PoolRecord, Subnet,
};
use jiff::Timestamp;

use crate::{NodeIdentity, Request};

fn prod() -> PoolName {
    "prod".parse().unwrap()
}

fn ip(raw: &str) -> IpAddr {
    raw.parse().unwrap()
}

/// The moment at which everything is decided.
fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// So many seconds before that moment.
fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - seconds).unwrap()
}

fn subnet(cidr: &str) -> Subnet {
    Subnet {
        cidr: cidr.parse().unwrap(),
        gateway: None,
        range: None,
        exclude: vec![],
        vlan: None,
        routes: vec![],
    }
}

fn pool(cidrs: &[&str]) -> PoolRecord {
    let subnets = cidrs.iter().map(|cidr| subnet(cidr)).collect();
    PoolRecord::new(subnets, BlockSize::try_from(4).unwrap())
}

fn node(name: &str) -> NodeIdentity {
    NodeIdentity {
        name: name.parse().unwrap(),
        id: "00000000000000000000000000000001".parse().unwrap(),
        machine_id: String::new(),
        boot_id: String::new(),
    }
}

fn pod(namespace: &str, name: &str, uid: &str) -> PodRef {
    PodRef {
        namespace: namespace.into(),
        name: name.into(),
        uid: uid.into(),
    }
}

fn request(attachment: &str) -> Request {
    let incarnation = Incarnation::from_random([1; 16]);
    Request::new(attachment.parse().unwrap(), incarnation, vec![prod()])
}

fn holder(attachment: &str, pod: Option<PodRef>) -> Holder {
    Holder {
        attachment: attachment.parse().unwrap(),
        incarnation: Incarnation::from_random([2; 16]),
        pod,
        mac: MacAddr::of_address(ip("10.0.0.9")),
        since: ago(1000),
    }
}

fn unused() -> AddressRecord {
    AddressRecord::unused(prod())
}
