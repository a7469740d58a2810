//! Pools: which addresses there are, and who may draw from them.

mod block;
mod exclusions;
mod subnet;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::Family;
use crate::names::{NamePattern, NodeName};
use crate::record::{Record, SchemaVersion};

pub use block::{Block, BlockRecord, BlockSize};
pub use subnet::{Route, Subnet, VlanId};

/// So many that all of a pool can be asked for, or deleted, in one transaction.
const MOST_SUBNETS: usize = 64;

/// The pool at `pools/<pool>`: its subnets, and who may draw from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolRecord {
    /// Schema version.
    pub v: SchemaVersion,
    /// Where the addresses come from, in the order they are used.
    pub subnets: Vec<Subnet>,
    /// Addresses per block; fixed once the pool exists.
    pub block_size: BlockSize,
    /// Kubernetes namespaces that may draw from it; empty means all, also containers of no pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<NamePattern>,
    /// Nodes that may draw from it, as those of a rack or a VLAN; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NamePattern>,
    /// Whether a pod's interface keeps its address over its pod's lives.
    #[serde(default)]
    pub sticky: bool,
    /// How long such an address is kept after its last use, in seconds; 0 is for ever.
    #[serde(default = "default_sticky_for")]
    pub sticky_for_s: u32,
    /// How long a released address rests before it is handed out again, in seconds.
    #[serde(default = "default_cooldown")]
    pub cooldown_s: u32,
    /// Whether addresses are handed out.
    #[serde(default)]
    pub state: PoolState,
}

const fn default_cooldown() -> u32 {
    30
}

const fn default_sticky_for() -> u32 {
    7 * 24 * 60 * 60
}

impl Record for PoolRecord {}

/// Whether a pool hands out addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolState {
    /// It does.
    #[default]
    Active,
    /// It does not any more; what is held stays held.
    Draining,
}

impl fmt::Display for PoolState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Draining => "draining",
        })
    }
}

/// A pool that cannot be: the field, its value, what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {value}: {problem}")]
pub struct InvalidPool {
    /// The offending field.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What is wrong, and what to write instead.
    pub problem: &'static str,
}

impl InvalidPool {
    pub(crate) fn new(
        field: &'static str,
        value: impl fmt::Display,
        problem: &'static str,
    ) -> Self {
        Self {
            field,
            value: value.to_string(),
            problem,
        }
    }
}

impl PoolRecord {
    /// An active pool of these subnets, for everybody.
    pub fn new(subnets: Vec<Subnet>, block_size: BlockSize) -> Self {
        Self {
            v: SchemaVersion,
            subnets,
            block_size,
            namespaces: Vec::new(),
            nodes: Vec::new(),
            sticky: false,
            sticky_for_s: default_sticky_for(),
            cooldown_s: default_cooldown(),
            state: PoolState::Active,
        }
    }

    /// Checks every subnet, and that no two overlap.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), InvalidPool> {
        if self.subnets.is_empty() {
            return Err(InvalidPool::new("subnet", "", "give at least one"));
        }
        if self.subnets.len() > MOST_SUBNETS {
            let problem = "are too many subnets for one pool: use at most 64";
            return Err(InvalidPool::new("subnet", self.subnets.len(), problem));
        }
        for (n, subnet) in self.subnets.iter().enumerate() {
            subnet.validate()?;
            if self
                .subnets
                .iter()
                .take(n)
                .any(|other| other.whole().overlaps(&subnet.whole()))
            {
                return Err(InvalidPool::new(
                    "subnet",
                    subnet.cidr,
                    "overlaps another of this pool",
                ));
            }
        }
        Ok(())
    }

    /// The subnet that contains `address`, whether or not it is handed out.
    pub fn subnet_of(&self, address: IpAddr) -> Option<&Subnet> {
        self.subnets
            .iter()
            .find(|subnet| subnet.cidr.contains(address))
    }

    /// The families it has addresses of, IPv4 first. A container gets one address of each.
    pub fn families(&self) -> Vec<Family> {
        let has = |family: &Family| {
            self.subnets
                .iter()
                .any(|subnet| Family::of(subnet.cidr.ip()) == *family)
        };
        [Family::V4, Family::V6].into_iter().filter(has).collect()
    }

    /// Whether pods of `namespace` may draw from it; `None` for a container of no pod.
    pub fn admits_namespace(&self, namespace: Option<&str>) -> bool {
        self.namespaces.is_empty()
            || namespace.is_some_and(|name| self.namespaces.iter().any(|p| p.matches(name)))
    }

    /// Whether containers on `node` may draw from it.
    pub fn admits_node(&self, node: &NodeName) -> bool {
        self.nodes.is_empty() || self.nodes.iter().any(|p| p.matches(node.as_str()))
    }

    /// Whether `address` may be handed out.
    pub fn is_usable(&self, address: IpAddr) -> bool {
        self.subnet_of(address)
            .is_some_and(|subnet| subnet.is_usable(address))
    }

    /// Whether `address` lies in an exclusion.
    pub fn excludes(&self, address: IpAddr) -> bool {
        self.subnet_of(address)
            .is_some_and(|subnet| subnet.excludes(address))
    }

    /// Every block, in the order of the subnets, lazily.
    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        self.subnets
            .iter()
            .flat_map(|subnet| subnet.blocks(self.block_size))
    }

    /// How many addresses may be handed out, saturating.
    pub fn size(&self) -> u64 {
        self.subnets
            .iter()
            .map(Subnet::size)
            .fold(0, u64::saturating_add)
    }

    /// The first subnet of `other` that shares an address with one of ours.
    pub fn overlap<'a>(&self, other: &'a Self) -> Option<&'a Subnet> {
        other.subnets.iter().find(|theirs| {
            self.subnets
                .iter()
                .any(|ours| ours.whole().overlaps(&theirs.whole()))
        })
    }
}
