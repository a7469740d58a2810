//! Where the other end of a packet is: what the programs are told of addresses.
//!
//! The addresses of this node's records are on the same node. The prefixes that were configured, and
//! the subnets of those records, are in the cluster; everything else is outside.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{HashMap, Map, MapData, MapError};
use berth_ebpf_common as abi;
use ipnetwork::IpNetwork;

use crate::kernel::maps::{self, MapsError};
use crate::observe::Found;

/// What the programs are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Addresses of this node's containers.
    pub near: BTreeSet<IpAddr>,
    /// Prefixes of the clusters.
    pub clusters: BTreeSet<IpNetwork>,
}

/// Decides what they are to be told.
pub fn scopes(found: &Found, configured: &[IpNetwork]) -> Scopes {
    let addresses = || {
        let wanted = found.wanted.values();
        wanted.flat_map(|wanted| wanted.addresses.iter())
    };
    let configured = configured.iter();
    Scopes {
        near: addresses().map(IpNetwork::ip).collect(),
        clusters: addresses().chain(configured).map(prefix).collect(),
    }
}

/// Without the bits of a host in it.
fn prefix(network: &IpNetwork) -> IpNetwork {
    IpNetwork::new(network.network(), network.prefix()).unwrap_or(*network)
}

/// The maps that tell them.
pub struct ScopeMaps {
    near4: HashMap<MapData, [u8; 4], u32>,
    near6: HashMap<MapData, [u8; 16], u32>,
    scope4: LpmTrie<MapData, [u8; 4], u32>,
    scope6: LpmTrie<MapData, [u8; 16], u32>,
    told: Scopes,
}

impl std::fmt::Debug for ScopeMaps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScopeMaps")
            .field("told", &self.told)
            .finish_non_exhaustive()
    }
}

impl ScopeMaps {
    /// Opens them in `folder`, and reads what they say.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn open(folder: &Path) -> Result<Self, MapsError> {
        let get = |name: &str| {
            let shape = maps::ALL.iter().find(|(known, _)| *known == name);
            let (_, shape) = shape.ok_or_else(|| MapsError::Io {
                what: "find the shape of",
                path: folder.join(name),
                source: io::ErrorKind::NotFound.into(),
            })?;
            maps::open(folder, name, shape)
        };
        let wrong = |source: MapError| MapsError::Unreadable {
            path: folder.to_owned(),
            source,
        };
        let near4 = Map::HashMap(get(abi::maps::NEAR4)?);
        let near6 = Map::HashMap(get(abi::maps::NEAR6)?);
        let scope4 = Map::LpmTrie(get(abi::maps::SCOPE4)?);
        let scope6 = Map::LpmTrie(get(abi::maps::SCOPE6)?);
        let mut maps = Self {
            near4: near4.try_into().map_err(wrong)?,
            near6: near6.try_into().map_err(wrong)?,
            scope4: scope4.try_into().map_err(wrong)?,
            scope6: scope6.try_into().map_err(wrong)?,
            told: Scopes::default(),
        };
        maps.told = maps.read().map_err(wrong)?;
        Ok(maps)
    }

    fn read(&self) -> Result<Scopes, MapError> {
        let mut told = Scopes::default();
        for key in self.near4.keys() {
            told.near.insert(IpAddr::from(key?));
        }
        for key in self.near6.keys() {
            told.near.insert(IpAddr::from(key?));
        }
        for key in self.scope4.keys() {
            let key = key?;
            told.clusters
                .extend(network(IpAddr::from(key.data()), key.prefix_len()));
        }
        for key in self.scope6.keys() {
            let key = key?;
            told.clusters
                .extend(network(IpAddr::from(key.data()), key.prefix_len()));
        }
        Ok(told)
    }

    /// Tells the programs `scopes`, and nothing else.
    ///
    /// # Errors
    /// The kernel's, `E2BIG` when there is no room for all; those that came before are told.
    pub fn tell(&mut self, scopes: &Scopes) -> io::Result<()> {
        let before = self.told.clone();
        for gone in before.near.difference(&scopes.near) {
            match gone {
                IpAddr::V4(address) => ignore_missing(self.near4.remove(&address.octets()))?,
                IpAddr::V6(address) => ignore_missing(self.near6.remove(&address.octets()))?,
            }
            self.told.near.remove(gone);
        }
        for new in scopes.near.difference(&before.near) {
            let told = match new {
                IpAddr::V4(address) => self.near4.insert(address.octets(), 1, 0),
                IpAddr::V6(address) => self.near6.insert(address.octets(), 1, 0),
            };
            told.map_err(maps::broken)?;
            self.told.near.insert(*new);
        }
        for gone in before.clusters.difference(&scopes.clusters) {
            match gone.network() {
                IpAddr::V4(address) => {
                    ignore_missing(self.scope4.remove(&key(gone, address.octets())))?;
                }
                IpAddr::V6(address) => {
                    ignore_missing(self.scope6.remove(&key(gone, address.octets())))?;
                }
            }
            self.told.clusters.remove(gone);
        }
        for new in scopes.clusters.difference(&before.clusters) {
            let told = match new.network() {
                IpAddr::V4(address) => self.scope4.insert(&key(new, address.octets()), CLUSTER, 0),
                IpAddr::V6(address) => self.scope6.insert(&key(new, address.octets()), CLUSTER, 0),
            };
            told.map_err(maps::broken)?;
            self.told.clusters.insert(*new);
        }
        Ok(())
    }
}

/// [`abi::Scope::Cluster`].
#[expect(clippy::as_conversions, reason = "a discriminant, in a constant")]
const CLUSTER: u32 = abi::Scope::Cluster as u32;

fn key<const N: usize>(network: &IpNetwork, octets: [u8; N]) -> Key<[u8; N]> {
    Key::new(u32::from(network.prefix()), octets)
}

fn network(address: IpAddr, prefix: u32) -> Option<IpNetwork> {
    IpNetwork::new(address, u8::try_from(prefix).ok()?).ok()
}

fn ignore_missing(removed: Result<(), MapError>) -> io::Result<()> {
    match removed.map_err(maps::broken) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
