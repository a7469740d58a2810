use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::{Compare, Revision, Write};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, BadRecord, BlockSize, Holder, Incarnation,
    LocalAddress, LocalAttachment, LocalLink, MacAddr, NetnsRef, NodeId, Phase, PoolRecord,
    Previous, SchemaVersion, Subnet, keys,
};
use jiff::Timestamp;

use super::merge::{Gone, Merged, Obstacle, Stored, merge};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn node() -> NodeId {
    "0".repeat(32).parse().unwrap()
}

fn id(raw: &str) -> AttachmentId {
    format!("{raw}/eth0").parse().unwrap()
}

fn ip(last: u8) -> IpAddr {
    [10, 20, 1, last].into()
}

fn netns() -> NetnsRef {
    NetnsRef {
        path: "/run/netns/x".into(),
        inode: 7,
    }
}

/// A record of an address that `who` holds in life `life` since the given second.
fn held(who: &str, life: u8, since: i64) -> AddressRecord {
    AddressRecord::unused("prod".parse().unwrap()).held_by(Holder {
        attachment: id(who),
        incarnation: Incarnation::from_random([life; 16]),
        pod: None,
        mac: MacAddr::of_address(ip(5)),
        since: at(since),
    })
}

fn attached(life: u8, addresses: &[u8]) -> AttachmentRecord {
    AttachmentRecord {
        v: SchemaVersion,
        addresses: addresses.iter().map(|last| ip(*last)).collect(),
        pod: None,
        netns: Some(netns()),
        node_id: node(),
        incarnation: Incarnation::from_random([life; 16]),
        phase: Phase::Live,
    }
}

/// `n1/pods/a` in its second life, with these records of its addresses.
fn local(addresses: &[(u8, AddressRecord)]) -> LocalAttachment {
    let address = |(last, record): &(u8, AddressRecord)| LocalAddress {
        cidr: format!("{}/24", ip(*last)).parse().unwrap(),
        gateway: None,
        record: Some(record.clone()),
    };
    LocalAttachment {
        v: SchemaVersion,
        attachment: id("n1/pods/a"),
        incarnation: Incarnation::from_random([2; 16]),
        pod: None,
        workload: None,
        netns: netns(),
        link: LocalLink {
            mac: MacAddr::of_address(ip(5)),
            ifindex: 2,
            master: "eth0".into(),
            vlan: None,
            port: None,
            host_end: None,
            ingress_rate: None,
            egress_rate: None,
        },
        addresses: addresses.iter().map(address).collect(),
        revision: Some(99),
        ipam: None,
        result: serde_json::Value::Null,
    }
}

fn alive() -> LocalAttachment {
    local(&[(5, held("n1/pods/a", 2, 50))])
}

/// A store with the pool, this record at the address 5 and this attachment.
fn stored(address: Option<AddressRecord>, attachment: Option<AttachmentRecord>) -> Stored {
    let subnet = Subnet {
        cidr: "10.20.1.0/24".parse().unwrap(),
        gateway: None,
        range: None,
        exclude: vec![],
        vlan: None,
        routes: vec![],
    };
    let pool = PoolRecord::new(vec![subnet], BlockSize::try_from(16).unwrap());
    Stored {
        attachment: attachment.map(|record| (Revision(3), Ok(record))),
        addresses: [(ip(5), address.map(|record| (Revision(4), Ok(record))))].into(),
        pools: [("prod".parse().unwrap(), pool)].into(),
    }
}

fn merged(seen: &Stored) -> Merged {
    merge(&alive(), &node(), seen, &Gone::new())
}

/// What a merge writes at `key`.
fn written<R: berth_types::Record>(merged: &Merged, key: &str) -> Option<R> {
    let Merged::Write { writes, .. } = merged else {
        panic!("{merged:?}")
    };
    writes.iter().find_map(|write| match write {
        Write::Put { key: at, value } if at == key.as_bytes() => {
            Some(R::decode(key, value).unwrap())
        }
        _ => None,
    })
}

fn written_address(merged: &Merged) -> AddressRecord {
    written(merged, &keys::address(ip(5))).expect("the address is written")
}

fn obstacle(merged: Merged) -> Obstacle {
    let Merged::Conflicts(found) = merged else {
        panic!("{merged:?}")
    };
    let [conflict] = found.try_into().expect("one conflict");
    assert_eq!(
        (conflict.attachment, conflict.address),
        (id("n1/pods/a"), ip(5))
    );
    conflict.obstacle
}

#[test]
fn what_the_store_has_never_heard_of_is_written_whole() {
    let merged = merged(&stored(None, None));
    assert_eq!(written_address(&merged), held("n1/pods/a", 2, 50));
    let attachment = keys::attachment(&id("n1/pods/a"));
    assert_eq!(written(&merged, &attachment), Some(attached(2, &[5])));
    let Merged::Write { compares, .. } = merged else {
        panic!("it is written")
    };
    let expected = [
        Compare::absent(attachment),
        Compare::absent(keys::address(ip(5))),
    ];
    assert_eq!(compares, expected);
}

#[test]
fn what_the_store_has_already_is_not_written_again() {
    for before in [
        stored(None, None),
        stored(Some(held("n1/pods/a", 1, 10)), Some(attached(1, &[5]))),
        stored(Some(held("n1/pods/old", 1, 10).released(at(20))), None),
    ] {
        let first = merged(&before);
        let record = written_address(&first);
        let again = merged(&stored(Some(record), Some(attached(2, &[5]))));
        assert_eq!(again, Merged::Standing, "before: {before:?}");
    }
}

#[test]
fn an_older_life_of_the_same_attachment_makes_way() {
    let seen = stored(Some(held("n1/pods/a", 1, 10)), Some(attached(1, &[5])));
    let record = written_address(&merged(&seen));
    let holder = record.holder.expect("a holder");
    assert_eq!(holder.incarnation, Incarnation::from_random([2; 16]));
    assert_eq!(record.previous.len(), 1, "the older life is history");
}

#[test]
fn an_address_of_somebody_else_is_never_taken() {
    for theirs in [held("n2/pods/b", 1, 10), held("n1/pods/b", 1, 10)] {
        let found = obstacle(merged(&stored(Some(theirs.clone()), None)));
        let holder = theirs.holder.map(Box::new).expect("a holder");
        assert_eq!(found, Obstacle::Held(holder));
    }
}

#[test]
fn an_attachment_of_this_machine_that_is_proven_gone_makes_way() {
    let theirs = held("n1/pods/b", 1, 10);
    let seen = stored(Some(theirs), None);
    let stale = |addresses: &[u8]| {
        let record = (Revision(8), attached(1, addresses));
        Gone::from([(id("n1/pods/b"), record)])
    };
    let key = keys::attachment(&id("n1/pods/b"));
    let alone = merge(&alive(), &node(), &seen, &stale(&[5]));
    let Merged::Write { compares, writes } = &alone else {
        panic!("{alone:?}")
    };
    assert!(writes.contains(&Write::delete(key.as_str())));
    assert!(compares.contains(&Compare::at(key.as_str(), Revision(8))));
    let record = written_address(&alone);
    assert_eq!(record.previous[0].attachment, id("n1/pods/b"));
    let shared = merge(&alive(), &node(), &seen, &stale(&[5, 6]));
    assert_eq!(written(&shared, &key), Some(attached(1, &[6])));
}

#[test]
fn a_later_life_than_the_one_that_is_gone_stays() {
    let seen = stored(Some(held("n1/pods/b", 3, 10)), None);
    let gone = Gone::from([(id("n1/pods/b"), (Revision(8), attached(1, &[5])))]);
    let found = obstacle(merge(&alive(), &node(), &seen, &gone));
    assert!(matches!(found, Obstacle::Held(_)), "{found:?}");
}

#[test]
fn two_addresses_are_written_together_or_not_at_all() {
    let ours = held("n1/pods/a", 2, 50);
    let both = local(&[(5, ours.clone()), (6, ours)]);
    let mut seen = stored(None, None);
    seen.addresses.insert(ip(6), None);
    let merged = merge(&both, &node(), &seen, &Gone::new());
    let attachment = keys::attachment(&id("n1/pods/a"));
    assert_eq!(written(&merged, &attachment), Some(attached(2, &[5, 6])));
    let theirs = held("n2/pods/b", 1, 10);
    seen.addresses
        .insert(ip(6), Some((Revision(4), Ok(theirs))));
    let merged = merge(&both, &node(), &seen, &Gone::new());
    assert!(matches!(merged, Merged::Conflicts(found) if found.len() == 1));
}

#[test]
fn pools_and_records_that_do_not_fit_are_told() {
    let bad = BadRecord::Malformed {
        key: "k".into(),
        reason: "r".into(),
    };
    let mut no_pool = stored(None, None);
    no_pool.pools = BTreeMap::new();
    let mut elsewhere = stored(None, None);
    for pool in elsewhere.pools.values_mut() {
        pool.subnets[0].cidr = "10.99.0.0/24".parse().unwrap();
    }
    let mut address = stored(None, None);
    address
        .addresses
        .insert(ip(5), Some((Revision(4), Err(bad.clone()))));
    let mut attachment = stored(None, None);
    attachment.attachment = Some((Revision(3), Err(bad.clone())));
    let cases = [
        (
            "no pool",
            no_pool,
            Obstacle::NoPool("prod".parse().unwrap()),
        ),
        (
            "not in it",
            elsewhere,
            Obstacle::NotInPool("prod".parse().unwrap()),
        ),
        ("the address", address, Obstacle::Unreadable(bad.clone())),
        ("the attachment", attachment, Obstacle::Unreadable(bad)),
    ];
    for (case, seen, expected) in cases {
        assert_eq!(obstacle(merged(&seen)), expected, "case: {case}");
    }
}

#[test]
fn both_histories_are_kept_newest_first_and_each_holder_once() {
    let before = |who: &str, since, until| Previous {
        attachment: id(who),
        pod: None,
        since: at(since),
        until: at(until),
    };
    let mut ours = held("n1/pods/a", 2, 50);
    ours.previous = vec![before("n1/pods/y", 30, 40), before("n1/pods/x", 10, 20)];
    let mut theirs = held("n1/pods/z", 1, 21).released(at(25));
    theirs.previous.push(before("n1/pods/x", 10, 20));
    theirs.reserved_for = Some("shop/workload/cart".parse().unwrap());
    let merged = merge(
        &local(&[(5, ours)]),
        &node(),
        &stored(Some(theirs), None),
        &Gone::new(),
    );
    let record = written_address(&merged);
    let names = record
        .previous
        .iter()
        .map(|p| p.attachment.container.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["y", "z", "x"]);
    assert_eq!(
        record.reserved_for,
        Some("shop/workload/cart".parse().unwrap()),
        "a reservation the node did not know of stands"
    );
}
