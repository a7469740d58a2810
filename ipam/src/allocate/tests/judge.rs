//! Who may have an address that is asked for by name.

use berth_types::{AddressRecord, PodRef, ReservationId};

use super::super::judge::{Judged, judge};
use super::{holder, node, pod, request, unused};

const OWN: &str = "shop/pod/cart-0/eth0";

fn id(raw: &str) -> ReservationId {
    raw.parse().unwrap()
}

/// Whoever may hold an address: on which node, which interface, of which pod.
fn holders() -> Vec<(&'static str, Option<PodRef>)> {
    let mut all = Vec::new();
    for attachment in [
        "n1/pods/old/eth0",
        "n2/pods/old/eth0",
        "n1/pods/old/eth1",
        "n2/pods/old/eth1",
    ] {
        for theirs in [
            None,
            Some(pod("", "", "")),
            Some(pod("shop", "cart-0", "")),
            Some(pod("shop", "cart-0", "u1")),
            Some(pod("shop", "cart-0", "u2")),
            Some(pod("blog", "cart-0", "u3")),
            Some(pod("shop", "cart-1", "u4")),
            Some(pod("", "", "u1")),
        ] {
            all.push((attachment, theirs));
        }
    }
    all
}

/// Every record that an address may have, and every pod that may ask for it.
fn every_case(mut check: impl FnMut(Option<&PodRef>, Option<&ReservationId>, &AddressRecord)) {
    let pods = [
        None,
        Some(pod("", "", "")),
        Some(pod("shop", "cart-0", "")),
        Some(pod("shop", "cart-0", "u1")),
    ];
    let reserved = [
        None,
        Some(id(OWN)),
        Some(id("shop/pod/cart-0/eth1")),
        Some(id("shop/pod/cart-1/eth0")),
        Some(id("blog/pod/cart-0/eth0")),
        Some(id("shop/workload/cart")),
        Some(id("shop/workload/till")),
    ];
    let rights = [None, Some(id("shop/workload/cart"))];
    let mut held: Vec<_> = holders().into_iter().map(Some).collect();
    held.push(None);
    for ours in &pods {
        for right in &rights {
            for reserved_for in &reserved {
                for holder_of in &held {
                    for unproven in [false, true] {
                        let mut record = unused();
                        record.unproven = unproven;
                        record.reserved_for.clone_from(reserved_for);
                        let by = holder_of.clone();
                        record.holder = by.map(|(attachment, pod)| holder(attachment, pod));
                        check(ours.as_ref(), right.as_ref(), &record);
                    }
                }
            }
        }
    }
}

#[test]
fn nobody_takes_what_is_kept_for_another_and_nobody_ends_a_sandbox_without_its_uid() {
    let mut seen = [0; 6];
    every_case(|ours, right, record| {
        let mut asks = request("n1/pods/new/eth0");
        asks.pod = ours.cloned();
        let judged = judge(record, &asks, &node("n1").name, right);
        let case = format!("{ours:?} by right of {right:?} asks for {record:?}");
        let named = ours.is_some_and(|pod| pod.name == "cart-0");
        let is_right =
            |reserved: &ReservationId| Some(reserved) == right || (named && *reserved == id(OWN));
        if let Some(reserved) = record.reserved_for.as_ref().filter(|id| !is_right(id)) {
            assert_eq!(judged, Judged::Reserved(reserved.clone()), "{case}");
            seen[0] += 1;
            return;
        }
        let Some(holder) = record.holder.clone().map(Box::new) else {
            let free = [Judged::Free, Judged::Doubtful];
            assert_eq!(judged, free[usize::from(record.unproven)], "{case}");
            seen[1 + usize::from(record.unproven)] += 1;
            return;
        };
        let uid = |pod: Option<&PodRef>| pod.map(|pod| pod.uid.clone()).unwrap_or_default();
        let same_uid = uid(ours) == "u1" && uid(holder.pod.as_ref()) == "u1";
        let same_interface = holder.attachment.ifname.as_str() == "eth0";
        let is_here = holder.attachment.node.as_str() == "n1";
        let of_name = |pod: &PodRef| pod.namespace == "shop" && pod.name == "cart-0";
        let same_name = named && holder.pod.as_ref().is_some_and(of_name);
        let expected = if same_uid && same_interface && is_here {
            seen[3] += 1;
            Judged::EarlierSandbox(holder)
        } else if record.reserved_for == Some(id(OWN)) || (same_name && same_interface) {
            seen[4] += 1;
            Judged::NotProvenGone(holder)
        } else {
            seen[5] += 1;
            Judged::Held(holder)
        };
        assert_eq!(judged, expected, "{case}");
    });
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
}

#[test]
fn an_empty_uid_is_no_uid_also_when_both_are_empty() {
    let mut asks = request("n1/pods/new/eth0");
    asks.pod = Some(pod("shop", "cart-0", ""));
    let mut record = unused();
    record.reserved_for = Some(id(OWN));
    let theirs = Some(pod("shop", "cart-0", ""));
    record.holder = Some(holder("n1/pods/old/eth0", theirs));
    let judged = judge(&record, &asks, &node("n1").name, None);
    assert!(matches!(judged, Judged::NotProvenGone(_)), "{judged:?}");
}
