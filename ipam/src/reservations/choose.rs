//! Which addresses are best kept for a workload. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use berth_types::{
    AddressRecord, Block, Family, PoolName, PoolRecord, ReservationId, Subnet, number,
};

use super::view::View;

/// How many addresses at the end of an IPv6 subnet are set apart (RFC 2526).
const ANYCAST: u128 = 128;

/// Where addresses are chosen, and for whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) view: &'a View,
    pub(super) pool: &'a PoolName,
    pub(super) record: &'a PoolRecord,
    pub(super) id: &'a ReservationId,
}

/// How gladly an address that has a record is taken, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It is marked for this reservation already, which does not list it.
    Marked,
    /// It was used before, and no node looks there first.
    Used,
    /// It was used before, and some node looks there first.
    UsedInBlock,
    /// Its last holder may still use it.
    Unproven,
}

impl Place<'_> {
    /// At most `count` addresses of one family that nobody has, the best first: never used before
    /// used, outside the blocks of nodes before inside, from the top of the pool down.
    ///
    /// Nodes fill their blocks from the bottom of the pool, so the two meet last.
    pub(super) fn choose(&self, family: Family, count: usize) -> Vec<IpAddr> {
        let ranked = self.ranked(family);
        let of = |wanted: Rank| {
            let matching = ranked.iter().filter(move |(rank, ..)| *rank == wanted);
            matching.map(|(_, _, address)| *address)
        };
        let plain = self.never_used(family).filter(|a| !self.is_anycast(*a));
        let anycast = self.never_used(family).filter(|a| self.is_anycast(*a));
        let claimed = self.in_blocks(family);
        of(Rank::Marked)
            .chain(plain)
            .chain(of(Rank::Used))
            .chain(claimed)
            .chain(of(Rank::UsedInBlock))
            .chain(anycast)
            .chain(of(Rank::Unproven))
            .take(count)
            .collect()
    }

    /// Addresses with a record that can be had, in the order in which they are taken: the one
    /// released longest ago first.
    fn ranked(&self, family: Family) -> Vec<(Rank, Option<jiff::Timestamp>, IpAddr)> {
        let records = self.view.addresses.iter().rev();
        let mut ranked: Vec<_> = records
            .filter(|(address, _)| Family::of(**address) == family)
            .filter_map(|(address, seen)| {
                let record = seen.1.as_ref().ok()?;
                let rank = self.rank(*address, record)?;
                Some((rank, record.released_at, *address))
            })
            .collect();
        ranked.sort_by_key(|(rank, released_at, _)| (*rank, *released_at));
        ranked
    }

    fn rank(&self, address: IpAddr, record: &AddressRecord) -> Option<Rank> {
        if !self.record.is_usable(address) || record.holder.is_some() {
            return None;
        }
        match &record.reserved_for {
            Some(id) => {
                let ours = id == self.id && !self.view.lists(id, address);
                ours.then_some(Rank::Marked)
            }
            None if record.unproven => Some(Rank::Unproven),
            None if self.is_claimed(address) => Some(Rank::UsedInBlock),
            None => Some(Rank::Used),
        }
    }

    fn is_claimed(&self, address: IpAddr) -> bool {
        let block = Block::containing(address, self.record.block_size);
        let key = (self.pool.clone(), block.first);
        self.view.claimed.contains(&key)
    }

    /// Whether routers may answer to it: the last 128 addresses of an IPv6 subnet (RFC 2526).
    fn is_anycast(&self, address: IpAddr) -> bool {
        let subnet = self.record.subnet_of(address);
        let last = subnet.map(|subnet| number(subnet.whole().last()));
        Family::of(address) == Family::V6
            && last.is_some_and(|last| last - number(address) < ANYCAST)
    }

    /// Never held, and in nobody's block. Ends early: only what has a record is passed over.
    fn never_used(&self, family: Family) -> impl Iterator<Item = IpAddr> {
        let subnets = self.record.subnets.iter().rev();
        subnets
            .filter(move |subnet| Family::of(subnet.cidr.ip()) == family)
            .flat_map(Subnet::usable_from_top)
            .filter(|address| !self.view.addresses.contains_key(address))
            .filter(|address| !self.is_claimed(*address))
    }

    /// Never held, but in the block of some node.
    fn in_blocks(&self, family: Family) -> impl Iterator<Item = IpAddr> {
        let ours = self.view.claimed.iter().filter(|(p, _)| p == self.pool);
        let firsts: BTreeSet<_> = ours.map(|(_, first)| *first).collect();
        let addresses = firsts.into_iter().rev().flat_map(|first| {
            let block = Block::containing(first, self.record.block_size);
            let mut addresses: Vec<_> = block.addresses().collect();
            addresses.reverse();
            addresses
        });
        addresses
            .filter(move |address| Family::of(*address) == family)
            .filter(|address| self.record.is_usable(*address))
            .filter(|address| !self.view.addresses.contains_key(address))
    }
}
