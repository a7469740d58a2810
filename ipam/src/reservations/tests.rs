use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;

use berth_store::Revision;
use berth_types::{
    AddressRecord, BlockSize, Holder, Incarnation, MacAddr, PoolRecord, PoolState,
    ReservationPolicy, ReservationRecord, SchemaVersion, Subnet,
};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 20, 1, last])
}

/// The pool `prod` of 14 addresses below 10.20.1.16, in blocks of 4.
fn view() -> View {
    let subnet = Subnet {
        cidr: "10.20.1.0/28".parse().unwrap(),
        gateway: None,
        range: None,
        exclude: vec![],
        vlan: None,
        routes: vec![],
    };
    let pool = PoolRecord::new(vec![subnet], BlockSize::try_from(4).unwrap());
    let mut view = View::default();
    view.pools
        .insert("prod".parse().unwrap(), (Revision(3), Ok(pool)));
    view
}

fn unused() -> AddressRecord {
    AddressRecord::unused("prod".parse().unwrap())
}

fn held() -> AddressRecord {
    unused().held_by(Holder {
        attachment: "n1/pods/c1/eth0".parse().unwrap(),
        incarnation: Incarnation::from_random([1; 16]),
        pod: None,
        mac: MacAddr::of_address(ip(1)),
        since: Timestamp::UNIX_EPOCH,
    })
}

fn released(second: i64) -> AddressRecord {
    held().released(Timestamp::from_second(second).unwrap())
}

fn with(view: &mut View, last: u8, record: AddressRecord) {
    view.addresses.insert(ip(last), (Revision(5), Ok(record)));
}

fn count(id: &str, count: u32) -> Order {
    Order {
        id: id.parse().unwrap(),
        ask: Ask::Each(NonZeroU32::new(count).unwrap()),
        if_held: IfHeld::Refuse,
    }
}

fn these(id: &str, addresses: &[u8]) -> Order {
    Order {
        id: id.parse().unwrap(),
        ask: Ask::These(addresses.iter().map(|last| ip(*last)).collect()),
        if_held: IfHeld::Refuse,
    }
}

fn chosen(view: &View, order: &Order) -> Vec<IpAddr> {
    let planned = plan_create(view, &"prod".parse().unwrap(), order).expect("a plan");
    planned.add.into_iter().map(|a| a.address).collect()
}

#[test]
fn never_used_addresses_outside_blocks_come_first_and_unproven_ones_last() {
    let mut view = view();
    let name = || "prod".parse().unwrap();
    // A node has 8 to 11, of which 9 is held and 10 was.
    view.claimed.insert((name(), ip(8)));
    with(&mut view, 9, held());
    with(&mut view, 10, released(50));
    // Used before: 13 longer ago than 14. 2 is unproven, 3 somebody else's.
    with(&mut view, 13, released(10));
    with(&mut view, 14, released(20));
    let mut unproven = released(5);
    unproven.unproven = true;
    with(&mut view, 2, unproven);
    let mut theirs = unused();
    theirs.reserved_for = Some("shop/workload/other".parse().unwrap());
    with(&mut view, 3, theirs);
    let expected = [12, 7, 6, 5, 4, 1, 13, 14, 11, 8, 10, 2].map(ip);
    assert_eq!(chosen(&view, &count("shop/workload/cart", 12)), expected);
    let too_many = plan_create(&view, &name(), &count("shop/workload/cart", 13));
    assert!(
        matches!(
            too_many,
            Err(ReserveError::NotEnough {
                wanted: 13,
                free: 12,
                ..
            })
        ),
        "{too_many:?}"
    );
}

#[test]
fn a_mark_that_its_reservation_does_not_list_is_taken_first() {
    let mut view = view();
    let mut marked = released(7);
    marked.reserved_for = Some("shop/workload/cart".parse().unwrap());
    with(&mut view, 5, marked);
    assert_eq!(
        chosen(&view, &count("shop/workload/cart", 2)),
        [ip(5), ip(14)]
    );
    let marks: Vec<_> = view.stale_marks().collect();
    assert_eq!(marks.len(), 1);
    let other = plan_create(
        &view,
        &"prod".parse().unwrap(),
        &these("shop/workload/other", &[5]),
    );
    assert!(
        matches!(other, Err(ReserveError::Stale { .. })),
        "{other:?}"
    );
}

#[test]
fn what_cannot_be_kept_is_refused_with_the_reason() {
    let mut view = view();
    with(&mut view, 5, held());
    let mut theirs = unused();
    theirs.reserved_for = Some("shop/pod/cart-0/eth0".parse().unwrap());
    with(&mut view, 6, theirs);
    let sticky = ReservationRecord {
        v: SchemaVersion,
        pool: "prod".parse().unwrap(),
        addresses: vec![ip(6)],
        policy: ReservationPolicy::Sticky,
        since: Timestamp::UNIX_EPOCH,
    };
    let id = "shop/pod/cart-0/eth0".parse().unwrap();
    view.reservations.insert(id, (Revision(4), Ok(sticky)));
    let plan = |view: &View, order: &Order| {
        let planned = plan_create(view, &"prod".parse().unwrap(), order);
        planned.map(|_| ()).expect_err("refused")
    };
    let cart = |last| these("shop/workload/cart", &[last]);
    assert!(
        matches!(plan(&view, &cart(5)), ReserveError::Held { address, .. } if address == ip(5))
    );
    assert!(matches!(
        plan(&view, &cart(6)),
        ReserveError::Reserved { .. }
    ));
    assert!(matches!(
        plan(&view, &cart(0)),
        ReserveError::NotInPool { .. }
    ));
    assert!(matches!(
        plan(&view, &cart(99)),
        ReserveError::NotInPool { .. }
    ));
    let pods = these("shop/pod/cart-9/eth0", &[7]);
    assert!(matches!(plan(&view, &pods), ReserveError::NotWorkload(_)));

    let mut closed = view.clone();
    closed.closed = Some("restored".into());
    assert!(matches!(plan(&closed, &cart(7)), ReserveError::Closed(_)));
    let pool = |change: fn(&mut PoolRecord)| {
        let mut view = view.clone();
        for (_, pool) in view.pools.values_mut() {
            change(pool.as_mut().unwrap());
        }
        view
    };
    let draining = pool(|pool| pool.state = PoolState::Draining);
    assert!(matches!(
        plan(&draining, &cart(7)),
        ReserveError::Draining(_)
    ));
    let others = pool(|pool| pool.namespaces = vec!["bank-*".parse().unwrap()]);
    assert!(matches!(
        plan(&others, &cart(7)),
        ReserveError::NotAdmitted { .. }
    ));
}

proptest! {
    #[test]
    fn what_is_chosen_is_nobodys_and_as_much_as_was_asked_for(
        held_by in proptest::collection::btree_set(1_u8..=14, 0..14),
        kept in proptest::collection::btree_set(1_u8..=14, 0..14),
        used in proptest::collection::btree_set(1_u8..=14, 0..14),
        blocks in proptest::collection::btree_set(0_u8..4, 0..4),
        wanted in 1_u32..=14,
    ) {
        let mut view = view();
        for last in &used {
            with(&mut view, *last, released(i64::from(*last)));
        }
        for last in &kept {
            let mut record = unused();
            record.reserved_for = Some("shop/workload/other".parse().unwrap());
            with(&mut view, *last, record);
        }
        for last in &held_by {
            with(&mut view, *last, held());
        }
        view.claimed = blocks.iter().map(|n| ("prod".parse().unwrap(), ip(n * 4))).collect();
        let free = (1..=14_u8).filter(|n| !held_by.contains(n) && !kept.contains(n)).count();
        let order = count("shop/workload/cart", wanted);
        let wanted = usize::try_from(wanted).unwrap();
        match plan_create(&view, &"prod".parse().unwrap(), &order) {
            Ok(planned) => {
                let got: BTreeSet<_> = planned.add.iter().map(|a| a.address).collect();
                prop_assert_eq!(got.len(), wanted);
                for last in held_by.union(&kept) {
                    prop_assert!(!got.contains(&ip(*last)));
                }
            }
            Err(ReserveError::NotEnough { free: found, .. }) => {
                prop_assert!(found < wanted);
                prop_assert_eq!(found, free);
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }
}
