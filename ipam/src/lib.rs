//! IP address management: who holds which address.
//!
//! Uniqueness lives in one key per address. An address changes hands in one transaction that
//! compares the revision of that key, so no lock, leader or lease is needed, and a crash at any
//! moment leaves the address with exactly one holder or with none.
//!
//! - [`Ipam::allocate`] gives an attachment an address, [`Ipam::release`] takes it back.
//! - [`Ipam::drain`] makes releases that waited for the store.
//! - [`reclaim`] finds addresses that no container holds any more, [`history`] who had them.
//! - [`pools`] is what operators do with pools, [`reservations`] with addresses that are kept for
//!   somebody, [`operator`] with those that are held, [`listing`] what they see.

mod allocate;
mod clock;
pub mod closure;
mod error;
mod evidence;
pub mod fault;
mod hint;
pub mod history;
mod lease;
pub mod listing;
pub mod lock_file;
pub mod node;
pub mod operator;
pub mod pools;
pub mod reclaim;
mod record;
mod release;
pub mod republish;
pub mod reservations;
mod wire;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_store::{Revision, Store, StoreConfig};
use berth_types::{AddressRecord, Family, PoolName, fnv1a};
use jiff::Timestamp;

pub use clock::uptime_ms;
pub use error::{IpamError, PoolCount};
pub use evidence::{Ended, Evidence, NoEvidence, Probing};
pub use lease::{Lease, Leased, Request, Stickiness};
pub use node::NodeIdentity;
pub use release::{Drained, Known, Released, Scope};

use hint::{Choice, HintFile};
use history::{Change, Log, What};

/// One node's access to the record of who holds which address.
#[derive(Clone, Debug)]
pub struct Ipam<S> {
    store: S,
    node: NodeIdentity,
    /// Where the hints about this store are.
    hints: PathBuf,
    /// Where releases of the whole node wait.
    journal: PathBuf,
    /// What the store is called; see [`names_of`].
    names: Vec<String>,
    history: Log,
    /// Where a program that stays keeps its hints.
    memory: Option<Arc<hint::Memory>>,
}

impl<S: Store> Ipam<S> {
    /// The allocator of `node` over `store`, with its files below `state`.
    ///
    /// `config` names the store, so that hints and waiting releases of one store never meet
    /// another's.
    pub fn new(store: S, config: &StoreConfig, node: NodeIdentity, state: &Path) -> Self {
        let names = names_of(config);
        let hints = state.join("hints").join(hints_of(&names, &node));
        Self {
            store,
            node,
            hints,
            journal: state.join("journal"),
            names,
            history: Log::below(state),
            memory: None,
        }
    }

    /// The same, for a program that stays and makes many calls: it keeps its hints in memory, and
    /// writes them to their files every 10 ms at most, and when it ends.
    #[must_use]
    pub fn resident(mut self) -> Self {
        self.memory = Some(Arc::default());
        self
    }

    /// The address of `family` that this node would try first in `pool`, as it believes at the
    /// time; `None` where it would look into the store first. Changes nothing.
    pub fn would_try(&self, pool: &PoolName, family: Family) -> Option<IpAddr> {
        let hint = self.hint(pool).peek()?;
        match hint.choose(pool, family, uptime_ms()) {
            Choice::Own(pick) | Choice::Claim(pick) => Some(pick.address),
            Choice::Look => None,
        }
    }

    /// The store itself.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The node this is.
    pub const fn node(&self) -> &NodeIdentity {
        &self.node
    }

    /// Writes down in the node's history that the address changed hands, as its record says: to its
    /// holder, or from the one before.
    fn write_down(
        &self,
        what: What,
        (address, record): (IpAddr, &AddressRecord),
        revision: Revision,
        now: Timestamp,
    ) {
        let Some(holder) = &record.holder else { return };
        let change = Change::new(what, (address, &record.pool), holder, revision, now);
        self.history.append(&change);
    }

    /// Notes what became of an address. A hint that cannot be written is only a worse hint.
    fn learn(&self, pool: &PoolName, change: impl FnOnce(&mut hint::Hint)) {
        self.hint(pool).update(change).anyhow();
    }

    fn hint(&self, pool: &PoolName) -> HintFile {
        match &self.memory {
            Some(memory) => HintFile::resident(&self.hints, pool, memory),
            None => HintFile::new(&self.hints, pool),
        }
    }

    fn journal_folder(&self) -> PathBuf {
        self.journal.clone()
    }
}

/// The folder of what this machine believes of a store.
///
/// A hint remembers that the node's name was seen to be this machine's. On the disk of another, of
/// which that one was cloned, it would be believed of a name that is not.
fn hints_of(names: &[String], node: &NodeIdentity) -> String {
    let stores = names.join(",");
    let (id, machine) = (&node.id, &node.machine_id);
    format!("{:016x}", seed(&format!("{stores} {id} {machine}")))
}

/// What a store is called: each endpoint, or the folder, in order.
///
/// Two configurations that share a name are of one store: a cluster's members come and go, and a
/// release that waits must survive that.
fn names_of(config: &StoreConfig) -> Vec<String> {
    match config {
        StoreConfig::Embedded(folder) => {
            // Without what a spelling may add: `.` and slashes at the end.
            let folder: PathBuf = folder.components().collect();
            vec![format!("embedded:{}", folder.display())]
        }
        StoreConfig::Etcd(etcd) => {
            let address = |url: &String| {
                let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
                format!("etcd:{}", rest.trim_end_matches('/'))
            };
            let mut names: Vec<_> = etcd.endpoints.iter().map(address).collect();
            names.sort();
            names
        }
    }
}

/// A number drawn from a name, the same on every machine and in every release.
fn seed(name: &str) -> u64 {
    fnv1a(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(raw: &str) -> Vec<String> {
        names_of(&raw.parse().expect("a store"))
    }

    #[test]
    fn a_store_keeps_a_name_while_its_members_come_and_go() {
        let old = names("etcd:http://10.0.0.1:2379,http://10.0.0.2:2379");
        for same in [
            "etcd:http://10.0.0.2:2379,http://10.0.0.1:2379",
            "etcd:https://10.0.0.1:2379/,https://10.0.0.3:2379",
        ] {
            assert!(names(same).iter().any(|n| old.contains(n)), "case: {same}");
        }
        assert!(
            !names("etcd:http://10.0.0.9:2379")
                .iter()
                .any(|n| old.contains(n))
        );
        assert_eq!(names("embedded:/a/b/"), names("embedded:/a/./b"));
        assert_ne!(names("embedded:/a/b"), names("embedded:/a/c"));
    }
}
