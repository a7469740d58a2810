//! Where the other end of a packet is: what the programs are told of addresses.
//!
//! The addresses of this node's records are on the same node. The prefixes that were configured, and
//! the subnets of those records, are in the cluster. Link-local addresses (RFC 3927, RFC 4291 §2.5.6)
//! are nowhere that could be named; everything else is outside.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
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
    /// What the addresses of a prefix are, unless a longer one says otherwise: an [`abi::Scope`].
    pub prefixes: BTreeMap<IpNetwork, u32>,
}

/// Link-local addresses, each prefix with its length.
const LINK_LOCAL: [(IpAddr, u8); 2] = [
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
];

/// Decides what they are to be told.
pub fn scopes(found: &Found, configured: &[IpNetwork]) -> Scopes {
    let addresses = || {
        let wanted = found.wanted.values();
        wanted.flat_map(|wanted| wanted.addresses.iter())
    };
    let link_local = LINK_LOCAL.map(|(address, bits)| IpNetwork::new(address, bits).ok());
    let clusters = addresses().chain(configured).map(prefix);
    // Whoever configures one of them means it.
    let prefixes = link_local.into_iter().flatten().map(|one| (one, OTHER));
    Scopes {
        near: addresses().map(IpNetwork::ip).collect(),
        prefixes: prefixes.chain(clusters.map(|one| (one, CLUSTER))).collect(),
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
        for entry in &self.scope4 {
            let (key, scope) = entry?;
            let network = network(IpAddr::from(key.data()), key.prefix_len());
            told.prefixes
                .extend(network.map(|network| (network, scope)));
        }
        for entry in &self.scope6 {
            let (key, scope) = entry?;
            let network = network(IpAddr::from(key.data()), key.prefix_len());
            told.prefixes
                .extend(network.map(|network| (network, scope)));
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
        for gone in before.prefixes.keys() {
            if !scopes.prefixes.contains_key(gone) {
                match gone.network() {
                    IpAddr::V4(address) => {
                        ignore_missing(self.scope4.remove(&key(gone, address.octets())))?;
                    }
                    IpAddr::V6(address) => {
                        ignore_missing(self.scope6.remove(&key(gone, address.octets())))?;
                    }
                }
                self.told.prefixes.remove(gone);
            }
        }
        for (new, scope) in &scopes.prefixes {
            if before.prefixes.get(new) != Some(scope) {
                let told = match new.network() {
                    IpAddr::V4(address) => {
                        self.scope4.insert(&key(new, address.octets()), scope, 0)
                    }
                    IpAddr::V6(address) => {
                        self.scope6.insert(&key(new, address.octets()), scope, 0)
                    }
                };
                told.map_err(maps::broken)?;
                self.told.prefixes.insert(*new, *scope);
            }
        }
        Ok(())
    }
}

/// [`abi::Scope::Cluster`].
#[expect(clippy::as_conversions, reason = "a discriminant, in a constant")]
const CLUSTER: u32 = abi::Scope::Cluster as u32;
/// [`abi::Scope::Other`].
#[expect(clippy::as_conversions, reason = "a discriminant, in a constant")]
const OTHER: u32 = abi::Scope::Other as u32;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_address_is_nowhere_unless_its_prefix_is_configured() {
        let prefixes = |configured: &[&str]| {
            let configured: Vec<IpNetwork> =
                configured.iter().map(|one| one.parse().unwrap()).collect();
            scopes(&Found::default(), &configured).prefixes
        };
        let of = |prefix: &str, scope| (prefix.parse::<IpNetwork>().unwrap(), scope);
        let neither = BTreeMap::from([of("169.254.0.0/16", OTHER), of("fe80::/10", OTHER)]);
        assert_eq!(prefixes(&[]), neither);
        let both = BTreeMap::from([
            of("169.254.0.0/16", CLUSTER),
            of("10.96.0.0/12", CLUSTER),
            of("fe80::/10", OTHER),
        ]);
        assert_eq!(prefixes(&["169.254.0.0/16", "10.97.3.4/12"]), both);
    }
}
