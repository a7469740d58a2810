//! Which of a workload's addresses a pod asks for.

use std::net::IpAddr;

use berth_store::Revision;
use berth_types::{AddressRecord, PodRef, ReservationId};

use super::super::workload::{Member, choose};
use super::{holder, ip, node, pod, request, unused};
use crate::{IpamError, Request};

fn set() -> ReservationId {
    "shop/workload/cart".parse().unwrap()
}

/// An address of the set.
fn member(address: &str, revision: u64, change: impl FnOnce(&mut AddressRecord)) -> Member {
    let mut record = unused();
    record.reserved_for = Some(set());
    change(&mut record);
    (ip(address), Revision(revision), record)
}

fn held(attachment: &str, by: PodRef) -> impl FnOnce(&mut AddressRecord) {
    let holder = holder(attachment, Some(by));
    move |record| record.holder = Some(holder)
}

fn asks() -> Request {
    Request {
        pod: Some(pod("shop", "cart-7c", "u1")),
        ..request("n1/pods/new/eth0")
    }
}

fn chosen(members: &[Member], request: &Request) -> Result<Vec<IpAddr>, IpamError> {
    choose(members, request, &node("n1").name, &set())
}

#[test]
fn its_own_comes_first_then_the_longest_free_then_its_earlier_sandboxs_then_the_doubtful() {
    let mut members = vec![
        member("10.0.0.2", 1, |record| record.unproven = true),
        member(
            "10.0.0.3",
            2,
            held("n1/pods/old/eth0", pod("shop", "cart-7c", "u1")),
        ),
        member("10.0.0.4", 9, |_| {}),
        member("10.0.0.5", 7, |_| {}),
        member(
            "10.0.0.6",
            3,
            held("n2/pods/x/eth0", pod("shop", "cart-9d", "u2")),
        ),
        member(
            "10.0.0.7",
            4,
            held("n1/pods/new/eth0", pod("shop", "cart-7c", "u1")),
        ),
    ];
    for next in ["10.0.0.7", "10.0.0.5", "10.0.0.4", "10.0.0.3", "10.0.0.2"] {
        assert_eq!(chosen(&members, &asks()).unwrap(), [ip(next)]);
        members.retain(|(address, _, _)| *address != ip(next));
    }
    let error = chosen(&members, &asks()).unwrap_err();
    let IpamError::ReservationInUse {
        id,
        count,
        address,
        holder,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((id, count, address), (set(), 1, ip("10.0.0.6")));
    assert_eq!(holder.attachment.to_string(), "n2/pods/x/eth0");
}

#[test]
fn what_names_another_reservation_or_none_is_not_of_the_set() {
    let members = [
        member("10.0.0.2", 1, |record| record.reserved_for = None),
        member("10.0.0.3", 2, |record| {
            record.reserved_for = Some("shop/workload/till".parse().unwrap());
        }),
    ];
    let error = chosen(&members, &asks()).unwrap_err();
    assert!(matches!(error, IpamError::NoSuchReservation(id) if id == set()));
    let exact = Request {
        exact: vec![ip("10.0.0.2")],
        ..asks()
    };
    let error = chosen(&members, &exact).unwrap_err();
    assert!(
        matches!(error, IpamError::NotInReservation { .. }),
        "{error}"
    );
}

#[test]
fn of_two_families_each_is_drawn_and_none_when_one_is_used_up() {
    let mut members = vec![
        member("10.0.0.2", 1, |_| {}),
        member("2001:db8::2", 5, |_| {}),
        member("2001:db8::3", 4, |_| {}),
    ];
    let both = [ip("10.0.0.2"), ip("2001:db8::3")];
    assert_eq!(chosen(&members, &asks()).unwrap(), both);
    members[0].2.holder = Some(holder("n2/pods/x/eth0", None));
    let error = chosen(&members, &asks()).unwrap_err();
    let IpamError::ReservationInUse { address, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(address, ip("10.0.0.2"));
}

#[test]
fn with_one_family_named_the_other_is_of_the_set_as_well() {
    let members = [
        member("10.0.0.2", 1, |_| {}),
        member("10.0.0.3", 2, |_| {}),
        member("2001:db8::2", 3, |_| {}),
    ];
    let exact = Request {
        exact: vec![ip("10.0.0.3")],
        ..asks()
    };
    let both = [ip("10.0.0.3"), ip("2001:db8::2")];
    assert_eq!(chosen(&members, &exact).unwrap(), both);
}
