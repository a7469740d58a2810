//! Blocks: runs of addresses in which one node looks first.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::InvalidPool;
use crate::NodeName;
use crate::address::{address_like, number};
use crate::record::{Record, SchemaVersion};

/// Addresses per block: a power of two from 1 to 256, by default 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct BlockSize(u32);

impl Default for BlockSize {
    fn default() -> Self {
        Self(16)
    }
}

impl TryFrom<u32> for BlockSize {
    type Error = InvalidPool;

    fn try_from(raw: u32) -> Result<Self, InvalidPool> {
        if raw.is_power_of_two() && raw <= 256 {
            Ok(Self(raw))
        } else {
            Err(InvalidPool::new(
                "block size",
                raw,
                "use a power of two from 1 to 256",
            ))
        }
    }
}

impl From<BlockSize> for u32 {
    fn from(size: BlockSize) -> Self {
        size.0
    }
}

impl fmt::Display for BlockSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The record at `blocks/<pool>/<first address>`: where a node looks first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockRecord {
    /// Schema version.
    pub v: SchemaVersion,
    /// The node.
    pub node: NodeName,
}

impl Record for BlockRecord {}

/// A run of addresses that begins at a multiple of the block size.
///
/// It may reach beyond its subnet's range: only usable addresses of it are ever handed out, so
/// that a range that changes moves no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Block {
    /// Its first address, a multiple of its size.
    pub first: IpAddr,
    /// How many addresses it has.
    pub size: u32,
}

impl Block {
    /// The block that `address` falls into.
    pub fn containing(address: IpAddr, size: BlockSize) -> Self {
        let step = u128::from(size.0);
        let first = address_like(address, number(address) / step * step).unwrap_or(address);
        Self {
            first,
            size: size.0,
        }
    }

    /// All its addresses, usable or not, in order.
    pub fn addresses(self) -> impl Iterator<Item = IpAddr> {
        (0..u128::from(self.size))
            .filter_map(move |offset| address_like(self.first, number(self.first) + offset))
    }

    /// Its last address.
    pub fn last(self) -> IpAddr {
        let last = number(self.first) + u128::from(self.size - 1);
        address_like(self.first, last).unwrap_or(self.first)
    }
}
