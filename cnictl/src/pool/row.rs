//! A pool as it is printed. Pure.

use std::net::IpAddr;

use berth_types::{
    AddressRange, AddressRecord, BadRecord, Block, NamePattern, PoolRecord, Route, Subnet,
    address_from_key,
};
use serde::Serialize;

use crate::observe::{Found, Snapshot};

/// A pool: a row of `pool list`, the sheet of `pool show`. Stable JSON.
///
/// Of a pool that cannot be read, name, state, revision and problem are known; the other numbers
/// are null and the lists empty.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PoolRow {
    /// Its name.
    pub(crate) pool: String,
    /// `active`, `draining`, `malformed`, or `newer` (written by a later release).
    pub(crate) state: String,
    /// The store's revision that changed it last.
    pub(crate) revision: u64,
    /// Why it cannot be read.
    pub(crate) problem: Option<String>,
    /// How many addresses it hands out.
    pub(crate) size: Option<u64>,
    /// How many of its addresses are held.
    pub(crate) held: Option<u64>,
    /// How many of `size` can be had: neither held, nor reserved, nor of an unreadable record.
    pub(crate) free: Option<u64>,
    /// How many of its addresses are kept for reservations, held or not.
    pub(crate) reserved: Option<u64>,
    /// How many of its addresses are excluded, and held all the same.
    pub(crate) excluded_in_use: Option<u64>,
    /// How many of its addresses have a record that cannot be read.
    pub(crate) unreadable: Option<u64>,
    /// Addresses per block.
    pub(crate) block_size: Option<u64>,
    /// Patterns of the namespaces that may draw from it; empty for all.
    pub(crate) namespaces: Vec<NamePattern>,
    /// Patterns of the nodes that may draw from it; empty for all.
    pub(crate) nodes: Vec<NamePattern>,
    /// Whether a pod's interface keeps its address over its pod's lives.
    pub(crate) sticky: Option<bool>,
    /// How long such an address is kept unused, in seconds; 0 is for ever.
    pub(crate) sticky_for_s: Option<u32>,
    /// How long a released address rests, in seconds.
    pub(crate) cooldown_s: Option<u32>,
    /// Its subnets, in the order they are used.
    pub(crate) subnets: Vec<SubnetRow>,
    /// The blocks that nodes have claimed, in order.
    pub(crate) blocks: Vec<BlockRow>,
}

/// A subnet of a pool. Stable JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubnetRow {
    /// The network.
    pub(crate) cidr: String,
    /// The default gateway.
    pub(crate) gateway: Option<IpAddr>,
    /// The part that is handed out; null for all of it.
    pub(crate) range: Option<AddressRange>,
    /// The parts that are not.
    pub(crate) exclude: Vec<AddressRange>,
    /// The VLAN.
    pub(crate) vlan: Option<u16>,
    /// Further routes.
    pub(crate) routes: Vec<Route>,
    /// How many addresses it hands out.
    pub(crate) size: u64,
}

/// A block that a node has claimed. Stable JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockRow {
    /// Its first address, or the key's text when that spells none.
    pub(crate) first: String,
    /// Its last address.
    pub(crate) last: Option<IpAddr>,
    /// The node that looks there first; null when the record cannot be read.
    pub(crate) node: Option<String>,
    /// How many of its addresses are held, by any node.
    pub(crate) held: u64,
    /// Why the record cannot be read.
    pub(crate) problem: Option<String>,
}

/// Every pool of the snapshot.
pub(crate) fn rows(seen: &Snapshot) -> Vec<PoolRow> {
    seen.pools.iter().map(|pool| row(seen, pool)).collect()
}

/// One pool of the snapshot.
pub(crate) fn row(seen: &Snapshot, pool: &Found<PoolRecord>) -> PoolRow {
    let known = PoolRow {
        pool: pool.name.clone(),
        revision: pool.revision.0,
        ..PoolRow::default()
    };
    let record = match &pool.record {
        Ok(record) => record,
        Err(bad) => {
            let problem = Some(bad.to_string());
            return PoolRow {
                state: unreadable(bad).to_owned(),
                problem,
                ..known
            };
        }
    };
    let inside = |found: &&Found<AddressRecord>| {
        found
            .address()
            .is_some_and(|address| record.subnet_of(address).is_some())
    };
    let addresses: Vec<_> = seen.addresses.iter().filter(inside).collect();
    let count = |which: &dyn Fn(&Found<AddressRecord>) -> bool| {
        u64::try_from(addresses.iter().filter(|found| which(found)).count()).unwrap_or(u64::MAX)
    };
    let gone =
        count(&|found| is_gone(found) && found.address().is_some_and(|a| record.is_usable(a)));
    PoolRow {
        state: record.state.to_string(),
        size: Some(record.size()),
        held: Some(count(&is_held)),
        free: Some(record.size().saturating_sub(gone)),
        reserved: Some(count(&is_reserved)),
        excluded_in_use: Some(count(&|found| {
            is_held(found) && found.address().is_some_and(|a| record.excludes(a))
        })),
        unreadable: Some(count(&|found| found.record.is_err())),
        namespaces: record.namespaces.clone(),
        nodes: record.nodes.clone(),
        sticky: Some(record.sticky),
        sticky_for_s: Some(record.sticky_for_s),
        cooldown_s: Some(record.cooldown_s),
        block_size: Some(u32::from(record.block_size).into()),
        subnets: record.subnets.iter().map(subnet_row).collect(),
        blocks: block_rows(seen, &pool.name, record, &addresses),
        ..known
    }
}

fn is_held(found: &Found<AddressRecord>) -> bool {
    found
        .record
        .as_ref()
        .is_ok_and(|record| record.holder.is_some())
}

fn is_reserved(found: &Found<AddressRecord>) -> bool {
    found
        .record
        .as_ref()
        .is_ok_and(|record| record.reserved_for.is_some())
}

/// Whether it cannot be had: see [`PoolRow::free`].
fn is_gone(found: &Found<AddressRecord>) -> bool {
    found.record.as_ref().map_or(true, |record| {
        record.holder.is_some() || record.reserved_for.is_some()
    })
}

/// The word for a record that cannot be read.
pub(crate) const fn unreadable(bad: &BadRecord) -> &'static str {
    match bad {
        BadRecord::Newer { .. } => "newer",
        BadRecord::Malformed { .. } => "malformed",
    }
}

fn subnet_row(subnet: &Subnet) -> SubnetRow {
    let Subnet {
        cidr,
        gateway,
        range,
        exclude,
        vlan,
        routes,
    } = subnet;
    SubnetRow {
        cidr: cidr.to_string(),
        gateway: *gateway,
        range: *range,
        exclude: exclude.clone(),
        vlan: vlan.map(u16::from),
        routes: routes.clone(),
        size: subnet.size(),
    }
}

fn block_rows(
    seen: &Snapshot,
    name: &str,
    pool: &PoolRecord,
    addresses: &[&Found<AddressRecord>],
) -> Vec<BlockRow> {
    let blocks = seen.blocks.iter().filter_map(|block| {
        let (of, first) = block.name.split_once('/')?;
        (of == name).then_some((first, block))
    });
    blocks
        .map(|(key, block)| {
            let first = address_from_key(key);
            let last = first.map(|first| {
                Block {
                    first,
                    size: pool.block_size.into(),
                }
                .last()
            });
            let inside = |address| {
                first
                    .zip(last)
                    .is_some_and(|(a, z)| (a..=z).contains(&address))
            };
            let held = addresses
                .iter()
                .filter(|f| is_held(f) && f.address().is_some_and(inside));
            BlockRow {
                first: first.map_or_else(|| key.to_owned(), |first| first.to_string()),
                last,
                node: block
                    .record
                    .as_ref()
                    .ok()
                    .map(|record| record.node.to_string()),
                held: u64::try_from(held.count()).unwrap_or(u64::MAX),
                problem: block.record.as_ref().err().map(ToString::to_string),
            }
        })
        .collect()
}

impl PoolRow {
    /// What is wrong with records of this pool, one line each.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &str> {
        let blocks = self
            .blocks
            .iter()
            .filter_map(|block| block.problem.as_deref());
        self.problem.as_deref().into_iter().chain(blocks)
    }
}
