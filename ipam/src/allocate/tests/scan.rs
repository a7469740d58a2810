//! The look through a whole pool, against a model.

use std::collections::BTreeSet;
use std::net::IpAddr;

use berth_store::Revision;
use berth_types::{
    AddressRange, AddressRecord, AttachmentId, BlockSize, Family, Incarnation, NetnsRef,
    PoolRecord, Subnet,
};
use proptest::prelude::*;

use super::super::asking::Asking;
use super::super::scan::{Found, KnownAddresses, Scan};
use super::{ago, holder, ip, now, pool, prod, request, subnet, unused};
use crate::{Ended, Evidence, NoEvidence, Probing, Request};

/// What may be true of an address's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Rested,
    Resting,
    Forsaken,
    Unproven,
    ForsakenAndUnproven,
    Held,
    Kept,
    OfWorkload,
    Unreadable,
}

const KINDS: [Kind; 9] = [
    Kind::Rested,
    Kind::Resting,
    Kind::Forsaken,
    Kind::Unproven,
    Kind::ForsakenAndUnproven,
    Kind::Held,
    Kind::Kept,
    Kind::OfWorkload,
    Kind::Unreadable,
];

/// How long the pool keeps a sticky address, in seconds.
const KEPT_FOR_S: i64 = 3600;

fn record(kind: Kind) -> Option<AddressRecord> {
    let mut record = unused();
    let of_pod = Some("shop/pod/cart-0/eth0".parse().unwrap());
    match kind {
        Kind::Rested => record.released_at = Some(ago(30)),
        Kind::Resting => record.released_at = Some(ago(29)),
        Kind::Forsaken | Kind::ForsakenAndUnproven => {
            record.released_at = Some(ago(KEPT_FOR_S));
            record.reserved_for = of_pod;
            record.unproven = kind == Kind::ForsakenAndUnproven;
        }
        Kind::Unproven => {
            record.released_at = Some(ago(KEPT_FOR_S));
            record.unproven = true;
        }
        Kind::Held => record.holder = Some(holder("n2/pods/x/eth0", None)),
        Kind::Kept => {
            record.released_at = Some(ago(KEPT_FOR_S - 1));
            record.reserved_for = of_pod;
        }
        Kind::OfWorkload => {
            record.released_at = Some(ago(10 * KEPT_FOR_S));
            record.reserved_for = Some("shop/workload/cart".parse().unwrap());
        }
        Kind::Unreadable => return None,
    }
    Some(record)
}

/// A pool of both families with a range and exclusions, and every address it hands out.
fn both_families() -> (PoolRecord, BTreeSet<IpAddr>) {
    let range = |raw: &str| raw.parse::<AddressRange>().unwrap();
    let four = Subnet {
        gateway: Some(ip("10.0.0.1")),
        exclude: vec![range("10.0.0.8-10.0.0.13"), range("10.0.0.17")],
        ..subnet("10.0.0.0/27")
    };
    let more = Subnet {
        range: Some(range("10.0.9.3-10.0.9.6")),
        ..subnet("10.0.9.0/28")
    };
    let six = Subnet {
        gateway: Some(ip("2001:db8::1")),
        ..subnet("2001:db8::/124")
    };
    let usable = (0..=255_u8)
        .map(|n| IpAddr::from([10, 0, 0, n]))
        .filter(|a| (ip("10.0.0.2")..=ip("10.0.0.30")).contains(a))
        .filter(|a| !(ip("10.0.0.8")..=ip("10.0.0.13")).contains(a) && *a != ip("10.0.0.17"));
    let mut all: BTreeSet<_> = usable.collect();
    all.extend((3..=6).map(|n| IpAddr::from([10, 0, 9, n])));
    all.extend((2..=15).map(|n| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n])));
    let record = PoolRecord {
        subnets: vec![four, more, six],
        block_size: BlockSize::try_from(8).unwrap(),
        sticky_for_s: u32::try_from(KEPT_FOR_S).unwrap(),
        ..pool(&["10.0.0.0/27"])
    };
    (record, all)
}

/// A request from an otherwise idle node.
fn asks() -> Request {
    request("n1/pods/a/eth0")
}

fn best(
    pool: &PoolRecord,
    known: &KnownAddresses,
    family: Family,
    asking: &Asking<'_>,
    seed: u64,
) -> Option<Found> {
    let scan = Scan {
        pool,
        known,
        family,
    };
    scan.best(asking, seed)
}

fn address_of(found: &Found) -> IpAddr {
    match found {
        Found::Rested(a) | Found::Resting(a) | Found::Forsaken(a, _) | Found::Unproven(a) => *a,
    }
}

proptest! {
    /// Whatever is found is then held; in the end all are held that may be, in that order.
    #[test]
    fn every_address_is_found_once_and_none_that_is_anothers(
        kinds in prop::collection::vec(prop::option::of(prop::sample::select(&KINDS[..])), 64),
        order in Just((1..=64_u64).collect::<Vec<_>>()).prop_shuffle(),
        avoided in prop::collection::btree_set(0..64_usize, 0..4),
        seed: u64,
    ) {
        let (pool, usable) = both_families();
        // Also of addresses that the pool does not hand out.
        let outside = ["10.0.0.0", "10.0.0.1", "10.0.0.9", "10.0.9.7", "2001:db8::1", "10.9.9.9"];
        let addresses: Vec<_> = usable.iter().copied().chain(outside.map(ip)).collect();
        let mut known = KnownAddresses::new();
        for ((address, kind), revision) in addresses.iter().zip(&kinds).zip(&order) {
            if let Some(kind) = kind {
                known.insert(*address, (Revision(*revision), record(*kind)));
            }
        }
        let kind_of: std::collections::BTreeMap<_, _> =
            addresses.iter().copied().zip(kinds.iter().copied()).collect();
        let (asks, name) = (asks(), prod());
        let mut asking = Asking::new(&asks, &name, &AsksTheWire, now());
        asking.avoid = avoided.iter().filter_map(|n| addresses.get(*n).copied()).collect();
        for family in [Family::V4, Family::V6] {
            let mut known = known.clone();
            let mut found = Vec::new();
            while let Some(next) = best(&pool, &known, family, &asking, seed) {
                let address = address_of(&next);
                prop_assert!(!found.iter().any(|(a, _)| *a == address), "{address} twice");
                let revision = known.get(&address).map_or(0, |(revision, _)| revision.0);
                let kind = kind_of[&address];
                let matches = match (&next, kind) {
                    (Found::Rested(_), None | Some(Kind::Rested))
                    | (Found::Resting(_), Some(Kind::Resting))
                    | (Found::Unproven(_), Some(Kind::Unproven)) => true,
                    (Found::Forsaken(_, id), Some(Kind::Forsaken | Kind::ForsakenAndUnproven)) =>
                        id.to_string() == "shop/pod/cart-0/eth0",
                    _ => false,
                };
                prop_assert!(matches, "{next:?} of {kind:?}");
                found.push((address, (kind.unwrap_or(Kind::Rested), revision)));
                known.insert(address, (Revision(100), record(Kind::Held)));
            }
            let can = |address: &IpAddr| {
                let kind = kind_of[address];
                let open = kind.is_none_or(|kind| kind <= Kind::ForsakenAndUnproven);
                Family::of(*address) == family && open && !asking.avoid.contains(address)
            };
            let expected: BTreeSet<_> = usable.iter().copied().filter(can).collect();
            let got: BTreeSet<_> = found.iter().map(|(address, _)| *address).collect();
            prop_assert_eq!(got, expected);
            // Rested ones in any order; then each kind after the other, the oldest first.
            let rest = found.iter().skip_while(|(_, (kind, _))| *kind == Kind::Rested);
            let rest: Vec<_> = rest.map(|(_, rank)| *rank).collect();
            prop_assert!(rest.is_sorted(), "{:?}", rest);
        }
    }

    #[test]
    fn the_counts_are_those_of_what_the_pool_hands_out(
        kinds in prop::collection::vec(prop::option::of(prop::sample::select(&KINDS[..])), 64),
    ) {
        let (pool, usable) = both_families();
        let mut known = KnownAddresses::new();
        for (address, kind) in usable.iter().zip(&kinds) {
            if let Some(kind) = kind {
                known.insert(*address, (Revision(1), record(*kind)));
            }
        }
        known.insert(ip("10.0.0.9"), (Revision(1), record(Kind::Held)));
        let (asks, name) = (asks(), prod());
        let asking = Asking::new(&asks, &name, &NoEvidence, now());
        for family in [Family::V4, Family::V6] {
            let scan = Scan { pool: &pool, known: &known, family };
            let count = scan.count(&asking);
            let of = |wanted: &[Kind]| {
                let pairs = usable.iter().zip(&kinds);
                let found = pairs.filter(|(address, kind)| {
                    Family::of(**address) == family && kind.is_some_and(|k| wanted.contains(&k))
                });
                u64::try_from(found.count()).unwrap()
            };
            let size = usable.iter().filter(|address| Family::of(**address) == family).count();
            prop_assert_eq!(count.size, u64::try_from(size).unwrap());
            prop_assert_eq!(count.held, of(&[Kind::Held, Kind::Unreadable]));
            let kept = [Kind::Forsaken, Kind::Kept, Kind::OfWorkload, Kind::ForsakenAndUnproven];
            prop_assert_eq!(count.reserved, of(&kept));
            prop_assert_eq!(count.unproven, of(&[Kind::Unproven, Kind::ForsakenAndUnproven]));
            prop_assert_eq!(count.family, Some(family), "it has two");
        }
    }
}

/// A caller who asks the wire wherever there is a doubt.
#[derive(Debug)]
struct AsksTheWire;

impl Evidence for AsksTheWire {
    fn end_sandbox(&self, _: &AttachmentId, _: &Incarnation, _: Option<&NetnsRef>) -> Ended {
        Ended::Gone
    }

    fn probing(&self) -> Probing {
        Probing::Takeovers
    }
}

/// A pool of one address, whose key holds that.
fn one(record: AddressRecord) -> (PoolRecord, KnownAddresses) {
    let mut pool = pool(&["10.0.0.0/30"]);
    pool.subnets[0].gateway = Some(ip("10.0.0.1"));
    let known = KnownAddresses::from([(ip("10.0.0.2"), (Revision(5), Some(record)))]);
    (pool, known)
}

#[test]
fn nobody_who_cannot_look_at_the_wire_is_given_a_doubtful_address() {
    let (asks, name) = (asks(), prod());
    let asking = Asking::new(&asks, &name, &NoEvidence, now());
    for kind in [Kind::Unproven, Kind::ForsakenAndUnproven] {
        let (pool, known) = one(record(kind).unwrap());
        assert_eq!(
            best(&pool, &known, Family::V4, &asking, 0),
            None,
            "{kind:?}"
        );
    }
}

#[test]
fn zero_keeps_a_pods_address_for_ever_and_a_reservation_never_used_is_kept() {
    let (asks, name) = (asks(), prod());
    let asking = Asking::new(&asks, &name, &NoEvidence, now());
    let (mut pool, known) = one(record(Kind::Forsaken).unwrap());
    pool.sticky_for_s = 0;
    assert_eq!(best(&pool, &known, Family::V4, &asking, 0), None);
    let mut never = record(Kind::Forsaken).unwrap();
    never.released_at = None;
    let (mut pool, known) = one(never);
    pool.sticky_for_s = 1;
    assert_eq!(best(&pool, &known, Family::V4, &asking, 0), None);
}

#[test]
fn the_cooldown_is_thirty_seconds_unless_the_pool_says_otherwise() {
    let (asks, name) = (asks(), prod());
    let asking = Asking::new(&asks, &name, &NoEvidence, now());
    let found = |cooldown_s: Option<u32>, seconds: i64| {
        let mut record = unused();
        record.released_at = Some(ago(seconds));
        let (mut pool, known) = one(record);
        pool.cooldown_s = cooldown_s.unwrap_or(pool.cooldown_s);
        best(&pool, &known, Family::V4, &asking, 0)
    };
    let (rested, resting) = (
        Some(Found::Rested(ip("10.0.0.2"))),
        Some(Found::Resting(ip("10.0.0.2"))),
    );
    assert_eq!(found(None, 29), resting);
    assert_eq!(found(None, 30), rested);
    assert_eq!(found(Some(0), 0), rested);
    assert_eq!(found(Some(3600), 3599), resting);
    assert_eq!(found(None, -60), resting, "another node's clock is ahead");
}

#[test]
fn nodes_that_scan_at_once_begin_at_different_places() {
    let (asks, name) = (asks(), prod());
    let asking = Asking::new(&asks, &name, &NoEvidence, now());
    let pool = pool(&["10.0.0.0/24"]);
    let known = KnownAddresses::new();
    let found = (0..16).map(|seed| best(&pool, &known, Family::V4, &asking, seed).unwrap());
    let different: BTreeSet<_> = found.map(|found| address_of(&found)).collect();
    assert_eq!(different.len(), 16);
}

#[test]
fn a_look_through_a_pool_of_a_trillion_addresses_ends() {
    let (asks, name) = (asks(), prod());
    let asking = Asking::new(&asks, &name, &NoEvidence, now());
    let pool = pool(&["2001:db8::/64"]);
    let known = KnownAddresses::new();
    assert!(best(&pool, &known, Family::V6, &asking, 7).is_some());
    assert_eq!(best(&pool, &known, Family::V4, &asking, 7), None);
}
