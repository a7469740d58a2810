//! The decision what a release must change, without a store.

use berth_types::{Holder, MacAddr, SchemaVersion};

use super::*;

const ATTACHED_AT: Revision = Revision(5);
const HELD_AT: Revision = Revision(6);

fn id() -> AttachmentId {
    "n1/pods/web/eth0".parse().unwrap()
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 20, 1, last])
}

fn incarnation(n: u8) -> Incarnation {
    Incarnation::from_random([n; 16])
}

fn held(by: &AttachmentId) -> AddressRecord {
    AddressRecord::unused("prod".parse().unwrap()).held_by(Holder {
        attachment: by.clone(),
        incarnation: incarnation(1),
        pod: None,
        mac: MacAddr::of_address(address(2)),
        since: Timestamp::UNIX_EPOCH,
    })
}

fn attached(addresses: &[IpAddr], phase: Phase) -> (Revision, AttachmentRecord) {
    let record = AttachmentRecord {
        v: SchemaVersion,
        addresses: addresses.to_vec(),
        pod: None,
        netns: None,
        node_id: node(),
        incarnation: incarnation(1),
        phase,
    };
    (ATTACHED_AT, record)
}

fn live() -> Standing {
    Standing {
        attachment: Some(attached(&[address(2)], Phase::Live)),
        addresses: vec![(address(2), HELD_AT, held(&id()))],
    }
}

fn node() -> NodeId {
    "0".repeat(32).parse().unwrap()
}

fn decide(only: Option<&Incarnation>, seen: &Standing) -> Option<Plan> {
    let lives = only.map_or(Lives::Any, Lives::One);
    plan((&id(), &node()), lives, seen, Timestamp::UNIX_EPOCH)
}

#[test]
fn everything_a_release_rests_on_is_compared() {
    for only in [None, Some(&incarnation(1))] {
        let plan = decide(only, &live()).expect("something to do");
        let attachment = keys::attachment(&id());
        let compares = [
            Compare::at(attachment.as_str(), ATTACHED_AT),
            Compare::at(keys::address(address(2)), HELD_AT),
        ];
        assert_eq!(plan.txn.compares, compares);
        let freed = held(&id()).released(Timestamp::UNIX_EPOCH);
        let writes = [
            Write::delete(attachment),
            Write::put(keys::address(address(2)), freed.encode()),
        ];
        assert_eq!(plan.txn.writes, writes);
        assert_eq!(plan.released, [(address(2), freed)]);
        assert_eq!(plan.incarnation, incarnation(1));
    }
}

#[test]
fn there_is_nothing_to_do_for_what_is_absent_deleted_or_another_life() {
    let absent = Standing {
        attachment: None,
        addresses: vec![],
    };
    let tombstone = Standing {
        attachment: Some(attached(&[], Phase::Deleted)),
        addresses: vec![],
    };
    let other = incarnation(2);
    for (case, only, seen) in [
        ("absent", None, &absent),
        ("absent, of one life", Some(&other), &absent),
        ("deleted", None, &tombstone),
        ("another life", Some(&other), &live()),
    ] {
        assert!(decide(only, seen).is_none(), "case: {case}");
    }
}

#[test]
fn an_address_that_another_holds_or_nobody_is_left_alone() {
    let stranger: AttachmentId = "n2/pods/other/eth0".parse().unwrap();
    let free = held(&id()).released(Timestamp::UNIX_EPOCH);
    let mut seen = live();
    seen.addresses.push((address(3), HELD_AT, held(&stranger)));
    seen.addresses.push((address(4), HELD_AT, free));
    let plan = decide(None, &seen).expect("something to do");
    assert_eq!(
        plan.released.iter().map(|(a, _)| *a).collect::<Vec<_>>(),
        [address(2)]
    );
    assert_eq!((plan.txn.compares.len(), plan.txn.writes.len()), (2, 2));
}

#[test]
fn an_attachment_whose_addresses_are_gone_is_removed_alone() {
    let seen = Standing {
        attachment: Some(attached(&[address(2)], Phase::Live)),
        addresses: vec![],
    };
    let plan = decide(None, &seen).expect("something to do");
    assert_eq!(plan.txn.writes, [Write::delete(keys::attachment(&id()))]);
    assert!(plan.released.is_empty());
}

#[test]
fn what_the_node_has_not_seen_yet_is_a_later_life() {
    let none = Revision::ABSENT;
    for (seen, frees) in [
        (none, false),
        (Revision(ATTACHED_AT.0 - 1), false),
        (ATTACHED_AT, true),
        (Revision(ATTACHED_AT.0 + 1), true),
    ] {
        let lives = Lives::UpTo(seen);
        let plan = plan((&id(), &node()), lives, &live(), Timestamp::UNIX_EPOCH);
        assert_eq!(plan.is_some(), frees, "case: {seen:?}");
    }
}

#[test]
fn a_record_that_is_left_replaces_the_removal() {
    let mut plan = decide(None, &live()).expect("something to do");
    let (_, tombstone) = attached(&[], Phase::Deleted);
    plan.leave(&id(), &tombstone);
    let freed = held(&id()).released(Timestamp::UNIX_EPOCH);
    let writes = [
        Write::put(keys::address(address(2)), freed.encode()),
        Write::put(keys::attachment(&id()), tombstone.encode()),
    ];
    assert_eq!(plan.txn.writes, writes);
}

#[test]
fn what_another_machine_of_the_name_made_is_not_released() {
    let other: NodeId = "1".repeat(32).parse().unwrap();
    let plan = plan((&id(), &other), Lives::Any, &live(), Timestamp::UNIX_EPOCH);
    assert!(plan.is_none());
}
