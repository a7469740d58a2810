//! Reservations: addresses that are kept for a workload, or for a pod's interface.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{IfName, InvalidName, NamespaceName, ObjectName, PoolName};
use crate::record::{Record, SchemaVersion};

/// Whom addresses are kept for; also the tail of the reservation's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ReservationId {
    /// `<namespace>/workload/<name>`: whichever pod of that namespace asks for it by annotation.
    Workload {
        /// The Kubernetes namespace.
        namespace: NamespaceName,
        /// The reservation's name.
        name: ObjectName,
    },
    /// `<namespace>/pod/<pod>/<ifname>`: one interface of the pod of that name, whatever its uid.
    Pod {
        /// The Kubernetes namespace.
        namespace: NamespaceName,
        /// The pod's name.
        pod: ObjectName,
        /// Its interface.
        ifname: IfName,
    },
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload { namespace, name } => write!(f, "{namespace}/workload/{name}"),
            Self::Pod {
                namespace,
                pod,
                ifname,
            } => write!(f, "{namespace}/pod/{pod}/{ifname}"),
        }
    }
}

impl FromStr for ReservationId {
    type Err = InvalidName;

    fn from_str(raw: &str) -> Result<Self, InvalidName> {
        let parts: Vec<_> = raw.split('/').collect();
        match parts.as_slice() {
            [namespace, "workload", name] => Ok(Self::Workload {
                namespace: namespace.parse()?,
                name: name.parse()?,
            }),
            [namespace, "pod", pod, ifname] => Ok(Self::Pod {
                namespace: namespace.parse()?,
                pod: pod.parse()?,
                ifname: ifname.parse()?,
            }),
            _ => Err(InvalidName {
                what: "reservation",
                value: raw.to_owned(),
                rule: "write NAMESPACE/workload/NAME or NAMESPACE/pod/POD/IFNAME",
            }),
        }
    }
}

impl TryFrom<String> for ReservationId {
    type Error = InvalidName;

    fn try_from(raw: String) -> Result<Self, InvalidName> {
        raw.parse()
    }
}

impl From<ReservationId> for String {
    fn from(id: ReservationId) -> Self {
        id.to_string()
    }
}

/// How long a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReservationPolicy {
    /// Until an operator deletes it.
    Kept,
    /// As long as its pool says, counted from when its addresses were last released.
    Sticky,
}

/// The record at `reservations/<id>`.
///
/// Each of its addresses names it in `reserved_for` as well, and is written in the same
/// transaction: the address's record is what keeps others away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationRecord {
    /// Schema version.
    pub v: SchemaVersion,
    /// The pool the addresses are of.
    pub pool: PoolName,
    /// The addresses; for a workload its whole set, for a pod's interface one per family.
    pub addresses: Vec<IpAddr>,
    /// How long it stands.
    pub policy: ReservationPolicy,
    /// When it was made; for people.
    pub since: Timestamp,
}

impl Record for ReservationRecord {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_fits_the_embedded_stores_keys() {
        let long = format!("{}/pod/{}/eth0", "n".repeat(63), "p".repeat(253));
        for raw in ["shop/workload/cart", "shop/pod/cart-0/eth0", long.as_str()] {
            let id: ReservationId = raw.parse().unwrap();
            assert_eq!(id.to_string(), raw);
            assert!(crate::keys::reservation(&id).len() <= 511);
        }
    }

    #[test]
    fn a_name_that_could_leave_its_key_is_refused() {
        let long = format!("shop/workload/{}", "x".repeat(300));
        for bad in [
            "",
            "shop",
            "shop/cart",
            "shop/workload/",
            "shop/workload/a/b",
            "shop/pod/cart-0",
            "shop/pod/cart-0/eth0/x",
            "Shop/workload/cart",
            "shop/workload/a b",
            long.as_str(),
        ] {
            assert!(bad.parse::<ReservationId>().is_err(), "case: {bad:?}");
        }
    }
}
