use berth_types::{Incarnation, MacAddr, Phase, SchemaVersion};

use berth_store::{Compare, Txn, Write};
use berth_types::{Record as _, keys};
use jiff::Timestamp;

use super::*;

const AT: Revision = Revision(7);

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 20, 1, last])
}

fn id(container: &str) -> AttachmentId {
    format!("n1/pods/{container}/eth0").parse().unwrap()
}

fn held(last: u8, container: &str) -> (IpAddr, Seen<AddressRecord>) {
    let record = AddressRecord::unused("prod".parse().unwrap()).held_by(Holder {
        attachment: id(container),
        incarnation: Incarnation::from_random([1; 16]),
        pod: None,
        mac: MacAddr::of_address(address(last)),
        since: Timestamp::UNIX_EPOCH,
    });
    (address(last), Some((AT, Ok(record))))
}

fn attached(container: &str, addresses: &[u8]) -> (AttachmentId, Seen<AttachmentRecord>) {
    let record = AttachmentRecord {
        v: SchemaVersion,
        addresses: addresses.iter().map(|last| address(*last)).collect(),
        pod: None,
        netns: None,
        node_id: "0".repeat(32).parse().unwrap(),
        incarnation: Incarnation::from_random([1; 16]),
        phase: Phase::Live,
    };
    (id(container), Some((Revision(6), Ok(record))))
}

fn view<const A: usize, const B: usize>(
    addresses: [(IpAddr, Seen<AddressRecord>); A],
    attachments: [(AttachmentId, Seen<AttachmentRecord>); B],
) -> View {
    View {
        addresses: addresses.into(),
        attachments: attachments.into(),
    }
}

fn only(plan: Plan) -> Txn {
    assert_eq!(plan.untouched, [], "everything is released");
    let [release] = plan.releases.try_into().expect("one release");
    release.txn(Timestamp::UNIX_EPOCH)
}

#[test]
fn the_last_address_takes_the_attachment_with_it() {
    let txn = only(plan(&view([held(5, "a")], [attached("a", &[5])])));
    let attachment = keys::attachment(&id("a"));
    let compares = [
        Compare::at(attachment.as_str(), Revision(6)),
        Compare::at(keys::address(address(5)), AT),
    ];
    assert_eq!(txn.compares, compares);
    let [Write::Put { key, value }, wish, deleted] = txn.writes.as_slice() else {
        panic!("{:?}", txn.writes)
    };
    assert_eq!(*key, keys::address(address(5)).into_bytes());
    let record = AddressRecord::decode("x", value).unwrap();
    assert_eq!((record.holder, record.previous.len()), (None, 1));
    assert_eq!(*wish, Write::delete(keys::wanted(address(5))));
    assert_eq!(*deleted, Write::delete(attachment));
}

#[test]
fn an_attachment_keeps_its_other_addresses() {
    let txn = only(plan(&view([held(5, "a")], [attached("a", &[5, 6])])));
    let Some(Write::Put { key, value }) = txn.writes.last() else {
        panic!("{:?}", txn.writes)
    };
    assert_eq!(*key, keys::attachment(&id("a")).into_bytes());
    let left = AttachmentRecord::decode("x", value).unwrap();
    assert_eq!(left.addresses, [address(6)]);
}

#[test]
fn two_addresses_of_one_attachment_are_one_transaction() {
    let seen = view(
        [held(5, "a"), held(6, "a"), held(7, "b")],
        [attached("a", &[5, 6])],
    );
    let plan = plan(&seen);
    assert_eq!(plan.releases.len(), 2);
    let txn = plan.releases[0].txn(Timestamp::UNIX_EPOCH);
    assert_eq!((txn.compares.len(), txn.writes.len()), (3, 5));
}

#[test]
fn an_address_without_an_attachment_guards_on_its_absence() {
    let absent = Compare::absent(keys::attachment(&id("a")));
    for seen in [
        view([held(5, "a")], []),
        view([held(5, "a")], [(id("a"), None)]),
    ] {
        let txn = only(plan(&seen));
        assert_eq!(txn.compares[0], absent);
        assert_eq!(txn.writes.len(), 2, "the attachment is not written");
    }
}

#[test]
fn an_attachment_that_names_other_addresses_is_not_written() {
    let txn = only(plan(&view([held(5, "a")], [attached("a", &[9])])));
    assert_eq!(txn.writes.len(), 2);
}

#[test]
fn what_is_free_or_unreadable_is_left_alone() {
    let bad = || BadRecord::Malformed {
        key: "k".into(),
        reason: "r".into(),
    };
    let free = AddressRecord::unused("prod".parse().unwrap());
    let seen = view(
        [
            (address(1), None),
            (address(2), Some((AT, Ok(free.clone())))),
            (address(3), Some((AT, Err(bad())))),
            held(4, "a"),
        ],
        [(id("a"), Some((AT, Err(bad()))))],
    );
    let expected = vec![
        (address(1), Untouched::NeverHeld),
        (
            address(2),
            Untouched::Free {
                revision: AT,
                record: Box::new(free),
            },
        ),
        (address(3), Untouched::Unreadable(bad())),
        (address(4), Untouched::Unreadable(bad())),
    ];
    assert_eq!(
        plan(&seen),
        Plan {
            releases: vec![],
            untouched: expected
        }
    );
}
