//! IP address management: who holds which address.
//!
//! Uniqueness lives in one key per address. An address changes hands in one transaction that
//! compares the revision of that key, so no lock, leader or lease is needed, and a crash at any
//! moment leaves the address with exactly one holder or with none.
//!
//! - [`Ipam::allocate`] gives an attachment an address, [`Ipam::release`] takes it back.
//! - [`Ipam::drain`] makes releases that waited for the store.
//! - [`pools`] is what operators do with pools, [`reservations`] with addresses that are kept for
//!   somebody, [`operator`] with those that are held, [`listing`] what they see.

mod allocate;
mod error;
pub mod fault;
mod hint;
pub mod history;
mod lease;
pub mod listing;
mod node;
pub mod operator;
pub mod pools;
pub mod reclaim;
mod record;
mod release;
pub mod reservations;

use std::fs;
use std::path::{Path, PathBuf};

use berth_store::{Store, StoreConfig};
use berth_types::PoolName;

pub use error::IpamError;
pub use lease::{Lease, Request};
pub use node::NodeIdentity;
pub use release::{Drained, Known, Released, Scope};

use hint::HintFile;

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
    boot_id: String,
}

impl<S: Store> Ipam<S> {
    /// The allocator of `node` over `store`, with its files below `state`.
    ///
    /// `config` names the store, so that hints and waiting releases of one store never meet
    /// another's.
    pub fn new(store: S, config: &StoreConfig, node: NodeIdentity, state: &Path) -> Self {
        let names = names_of(config);
        let hints = format!("{:016x}", seed(&names.join(",")));
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            store,
            node,
            hints: state.join("hints").join(hints),
            journal: state.join("journal"),
            names,
            boot_id: boot_id.trim().to_owned(),
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

    /// Notes what became of an address. A hint that cannot be written is only a worse hint.
    fn learn(&self, pool: &PoolName, change: impl FnOnce(&mut hint::Hint)) {
        self.hint(pool).update(change).anyhow();
    }

    fn hint(&self, pool: &PoolName) -> HintFile {
        HintFile::new(&self.hints, pool)
    }

    fn journal_folder(&self) -> PathBuf {
        self.journal.clone()
    }

    /// Milliseconds since boot, the same for every process of the machine.
    #[expect(clippy::unused_self, reason = "a clock belongs to whoever reads it")]
    fn monotonic_ms(&self) -> u64 {
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
        now.map_or(0, |t| {
            u64::try_from(std::time::Duration::from(t).as_millis()).unwrap_or(0)
        })
    }
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

/// The 64-bit FNV-1a hash.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
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
