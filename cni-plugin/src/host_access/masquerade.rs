//! The nftables table that puts the node's address on what containers send to services. Pure.
//!
//! ```text
//! table inet berth-<hash> {
//!     chain postrouting {
//!         type nat hook postrouting priority srcnat
//!         iifname "berth*" oifname "berth*" ct original ip daddr 10.96.0.0/12 snat ip to <node>
//!         iifname "berth*" ct original ip daddr 10.96.0.0/12 masquerade
//!     }
//! }
//! ```
//!
//! Its name follows from its contents: where it stands, it stands as wanted. It goes by what the
//! connection was sent to, for `kube-proxy` has changed that by then. To a container of the same
//! node it is not `masquerade`, which takes an address of the interface out of the node: an end of
//! a pair has none.

use std::net::IpAddr;

use berth_types::digits;
use ipnetwork::IpNetwork;

use super::PREFIX;
use super::nft::{Batch, Expression, Match};

/// What the names of all tables begin with.
const NAME: &str = "berth-";
/// How many digits follow: of the services, and of the node's addresses.
const DIGITS: u32 = 6;

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The services, each with the node's address of its family, where it has one.
    services: Vec<(IpNetwork, Option<IpAddr>)>,
}

impl Table {
    /// For those services on a node with those addresses; `None` without services.
    pub(super) fn of(services: &[IpNetwork], node: &[IpAddr]) -> Option<Self> {
        let own = |cidr: &IpNetwork| {
            let mut same = node.iter().filter(|own| own.is_ipv4() == cidr.is_ipv4());
            same.next().copied()
        };
        let services: Vec<_> = services.iter().map(|cidr| (*cidr, own(cidr))).collect();
        (!services.is_empty()).then_some(Self { services })
    }

    /// Its name: what it is for, and then how that is done.
    pub fn name(&self) -> String {
        let nodes: Vec<_> = self.services.iter().map(|(_, node)| node).collect();
        format!(
            "{}{}",
            self.purpose(),
            digits(&format!("{nodes:?}"), DIGITS)
        )
    }

    /// What the names of all tables for these services begin with.
    fn purpose(&self) -> String {
        let services: Vec<_> = self.services.iter().map(|(service, _)| *service).collect();
        purpose(&services)
    }

    /// Makes all of it, or nothing, in the place of those among `tables` that are for the same
    /// services: they are from before the node got another address.
    pub(super) fn batch_instead_of(&self, tables: &[String]) -> Batch {
        let (name, purpose) = (self.name(), self.purpose());
        let mut batch = Batch::new();
        for stale in tables {
            if is_ours(stale) && stale.starts_with(&purpose) {
                batch.delete_table(stale);
            }
        }
        batch.new_table(&name);
        batch.new_postrouting_chain(&name);
        for (service, node) in &self.services {
            let services = Match::OriginalDestination(*service);
            if let Some(node) = node {
                let both = [Match::IncomingPrefix(PREFIX), Match::OutgoingPrefix(PREFIX)];
                let [arrives, leaves] = both;
                batch.new_rule(
                    &name,
                    &[arrives, leaves, services],
                    Expression::Source(*node),
                );
            }
            let arrives = Match::IncomingPrefix(PREFIX);
            batch.new_rule(&name, &[arrives, services], Expression::Masquerade);
        }
        batch
    }
}

fn purpose(services: &[IpNetwork]) -> String {
    format!("{NAME}{}", digits(&format!("{services:?}"), DIGITS))
}

/// Whether a table of that name is for these services, of whatever addresses of the node.
pub(super) fn serves(name: &str, services: &[IpNetwork]) -> bool {
    is_ours(name) && name.starts_with(&purpose(services))
}

/// Whether a table of that name is one of these.
pub(super) fn is_ours(name: &str) -> bool {
    let hash = name.strip_prefix(NAME);
    hash.is_some_and(|hash| {
        hash.len() == 2 * digits("", DIGITS).len()
            && hash.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(services: &[&str], node: &[&str]) -> Option<Table> {
        let services: Vec<_> = services.iter().map(|raw| raw.parse().unwrap()).collect();
        let node: Vec<_> = node.iter().map(|raw| raw.parse().unwrap()).collect();
        Table::of(&services, &node)
    }

    #[test]
    fn tables_of_different_contents_have_different_names_of_ours() {
        let one = table(&["10.96.0.0/12"], &["10.20.1.5"]).unwrap();
        let moved = table(&["10.96.0.0/12"], &["10.20.1.6"]).unwrap();
        let more = table(&["10.96.0.0/12", "fd00::/112"], &["10.20.1.5"]).unwrap();
        assert_eq!(
            Some(&one),
            table(&["10.96.0.0/12"], &["10.20.1.5"]).as_ref()
        );
        for other in [&moved, &more] {
            assert_ne!(one.name(), other.name());
        }
        assert_eq!(one.purpose(), moved.purpose());
        assert_ne!(one.purpose(), more.purpose());
        assert!(is_ours(&one.name()), "{}", one.name());
        for other in ["berth-", "berth-mine", "filter", "berth-0123456789abc"] {
            assert!(!is_ours(other), "{other}");
        }
        assert_eq!(table(&[], &["10.20.1.5"]), None);
    }
}
