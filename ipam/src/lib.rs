//! IP address management: who holds which address.
//!
//! Uniqueness lives in one key per address. An address changes hands in one transaction that
//! compares the revision of that key, so no lock, leader or lease is needed, and a crash at any
//! moment leaves the address with exactly one holder or with none.
//!
//! - [`Ipam::allocate`] gives an attachment an address, [`Ipam::release`] takes it back.
//! - [`Ipam::drain`] makes releases that waited for the store.
//! - [`pools`] is what operators do with pools, [`operator`] with addresses, [`listing`] what they
//!   see.

mod allocate;
mod error;
pub mod fault;
mod hint;
mod lease;
pub mod listing;
mod node;
pub mod operator;
pub mod pools;
mod record;
mod release;

use std::fs;
use std::path::{Path, PathBuf};

use berth_store::{Store, StoreConfig};
use berth_types::PoolName;

pub use error::IpamError;
pub use lease::{Lease, Request};
pub use node::NodeIdentity;
pub use release::{Drained, Known, Released};

use hint::HintFile;

/// One node's access to the record of who holds which address.
#[derive(Clone, Debug)]
pub struct Ipam<S> {
    store: S,
    node: NodeIdentity,
    folder: PathBuf,
    boot_id: String,
}

impl<S: Store> Ipam<S> {
    /// The allocator of `node` over `store`, with its files below `state`.
    ///
    /// `config` names the store, so that hints and waiting releases of one store never meet
    /// another's.
    pub fn new(store: S, config: &StoreConfig, node: NodeIdentity, state: &Path) -> Self {
        let folder = state
            .join("stores")
            .join(format!("{:016x}", seed(&identity_of(config))));
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            store,
            node,
            folder,
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

    fn hint(&self, pool: &PoolName) -> HintFile {
        HintFile::new(&self.folder.join("hints"), pool)
    }

    fn journal_folder(&self) -> PathBuf {
        self.folder.join("journal")
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

/// What stays the same about a store when its configuration is reordered or gains credentials.
fn identity_of(config: &StoreConfig) -> String {
    match config {
        StoreConfig::Embedded(folder) => format!("embedded:{}", folder.display()),
        StoreConfig::Etcd(etcd) => {
            let mut endpoints = etcd.endpoints.clone();
            endpoints.sort();
            format!("etcd:{}", endpoints.join(","))
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
