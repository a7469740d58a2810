//! `cnictl reserve`.

use std::net::IpAddr;

use berth_store::Write;
use berth_types::{
    AddressRecord, Record as _, ReservationPolicy, ReservationRecord, SchemaVersion, keys,
};
use serde_json::json;

use crate::support::{Site, attachment, holder, noon};

fn made() -> Site {
    let site = Site::with_pool();
    site.done("reserve create shop/cart --pool prod --count 3");
    site
}

/// The sticky reservation of the pod `shop/web-1`, which holds its address when `held`.
fn sticky(site: &Site, address: &str, held: Option<&str>) {
    let address: IpAddr = address.parse().unwrap();
    let reservation = ReservationRecord {
        v: SchemaVersion,
        pool: "prod".parse().unwrap(),
        addresses: vec![address],
        policy: ReservationPolicy::Sticky,
        since: noon(),
    };
    let mut record = AddressRecord::unused("prod".parse().unwrap());
    record.reserved_for = Some("shop/pod/web-1/eth0".parse().unwrap());
    let id = attachment("node-1", "web-1");
    record = record.held_by(holder(&id, address));
    if held.is_none() {
        record = record.released("2026-03-02T12:00:00Z".parse().unwrap());
    }
    let key = keys::reservation(&"shop/pod/web-1/eth0".parse().unwrap());
    site.commit(vec![
        Write::put(key, reservation.encode()),
        Write::put(keys::address(address), record.encode()),
    ]);
}

#[test]
fn a_reservation_is_made_from_the_top_of_the_pool_and_extended() {
    let site = Site::with_pool();
    let line = "reserve create shop/cart --pool prod --count 3";
    let planned = site.done(&format!("{line} --dry-run"));
    assert_eq!(
        planned,
        "reservation shop/workload/cart would be created with 3 addresses: \
         10.20.1.252-10.20.1.254\n"
    );
    assert_eq!(site.content().len(), 1, "a dry run makes nothing");
    assert_eq!(
        site.done(line),
        planned.replace("would be created", "created")
    );
    let again = site.run(line);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(
        again
            .err
            .contains("exists already, with 3 addresses of pool prod\n")
            && again.err.contains("`cnictl reserve extend`"),
        "{again:?}"
    );
    let (code, row) =
        site.json("reserve extend shop/cart --address 10.20.1.7 --address 10.20.1.254");
    let expected = json!({
        "reservation": "shop/workload/cart", "outcome": "extended", "added": ["10.20.1.7"],
    });
    assert_eq!((code, row), (0, expected));
    assert_eq!(
        site.done("reserve extend shop/cart --address 10.20.1.7"),
        "reservation shop/workload/cart has these addresses already\n"
    );
}

#[test]
fn reservations_are_listed_with_what_is_used_of_them() {
    let site = Site::with_pool();
    assert_eq!(site.done("reserve list"), "");
    site.done("reserve create shop/cart --pool prod --count 2");
    sticky(&site, "10.20.1.9", None);
    site.done("pool create spare --subnet 10.30.0.0/24");
    site.done("reserve create bank/desk --pool spare --address 10.30.0.7");
    let listed = site.done("reserve list --pool prod --namespace shop");
    let lines: Vec<_> = listed.lines().collect();
    assert!(
        lines[1].starts_with("shop/workload/cart   workload  kept    prod"),
        "{listed}"
    );
    assert!(lines[1].ends_with("10.20.1.253-10.20.1.254"), "{listed}");
    assert_eq!(
        lines[2],
        "shop/pod/web-1/eth0  pod       sticky  prod                 1                 0  \
         2026-03-02T12:00:00Z  10.20.1.9"
    );
    assert_eq!(lines.len(), 3, "{listed}");
    let (_, rows) = site.json("reserve list");
    assert_eq!(rows.as_array().map(Vec::len), Some(3));

    sticky(&site, "10.20.1.9", Some("held"));
    let (code, row) = site.json("reserve show shop/pod/web-1/eth0");
    assert_eq!(
        (code, &row["held"], &row["unusedSince"]),
        (0, &json!(1), &json!(null))
    );
    assert_eq!(row["addresses"][0]["holder"]["node"], "node-1");
    let shown = site.done("reserve show shop/pod/web-1/eth0");
    assert!(
        shown.contains("10.20.1.9  held   node-1  shop/web-1"),
        "{shown}"
    );
    assert!(
        site.done("ip show 10.20.1.9")
            .contains("RESERVED FOR  shop/pod/web-1/eth0\n")
    );
    assert_eq!(site.run("reserve show shop/none").code, 1);
    assert_eq!(site.run("reserve list --pool blue").code, 1);
}

#[test]
fn a_held_address_is_reserved_only_when_that_is_meant() {
    let site = Site::with_pool();
    site.hold("10.20.1.7", "node-1", "web-1");
    let before = site.content();
    let line = "reserve create shop/cart --pool prod --address 10.20.1.7";
    let ran = site.run(line);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.starts_with(
            "error: address 10.20.1.7 is held by node-1/pods/web-1/eth0 (pod shop/web-1)\n  hint: "
        ) && ran.err.contains("--held"),
        "{ran:?}"
    );
    assert_eq!(site.content(), before);
    site.done(&format!("{line} --held"));
    let (_, shown) = site.json("ip show 10.20.1.7");
    assert_eq!(
        (&shown["state"], &shown["reservedFor"]),
        (&json!("held"), &json!("shop/workload/cart"))
    );
    let ran = site.run("reserve delete shop/cart --yes");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("is held by node-1/pods/web-1/eth0"),
        "{ran:?}"
    );
    assert_eq!(
        site.done("reserve delete shop/cart --yes --held"),
        "reservation shop/workload/cart deleted, which had 1 address\n"
    );
    assert_eq!(
        site.json("ip show 10.20.1.7").1["holder"]["container"],
        "web-1"
    );
}

#[test]
fn what_cannot_be_reserved_says_why_and_writes_nothing() {
    let site = made();
    site.done("pool create closed --subnet 10.30.0.0/24");
    site.done("pool drain closed");
    site.done("pool create bank --subnet 10.40.0.0/24 --namespaces bank");
    let before = site.content();
    for (words, part) in [
        (
            "--pool prod --address 10.20.1.254",
            "is reserved for shop/workload/cart",
        ),
        (
            "--pool prod --address 10.20.1.1",
            "10.20.1.1 is not one that pool prod hands out",
        ),
        (
            "--pool prod --address 10.9.9.9",
            "10.9.9.9 is not one that pool prod hands out",
        ),
        (
            "--pool prod --count 251",
            "pool prod has 250 free IPv4 addresses, not 251",
        ),
        (
            "--pool prod --count 5000",
            "would have 5000 addresses, more than 4096",
        ),
        ("--pool closed --count 1", "pool closed is draining"),
        (
            "--pool bank --count 1",
            "pool bank is not for namespace shop",
        ),
        ("--pool blue --count 1", "pool blue does not exist"),
    ] {
        let ran = site.run(&format!("reserve create shop/web {words}"));
        assert_eq!(ran.code, 1, "{words}: {ran:?}");
        assert!(
            ran.err.contains(part) && ran.err.contains("\n  hint: "),
            "{words}: {ran:?}"
        );
        assert_eq!(site.content(), before, "{words}");
    }
    let ran = site.run("reserve extend shop/none --count 1");
    assert!(
        ran.err.contains("shop/workload/none does not exist"),
        "{ran:?}"
    );
}

#[test]
fn a_deletion_is_shown_and_asked_for() {
    let site = made();
    let before = site.content();
    let unasked = site.run("reserve delete shop/cart");
    assert_eq!((unasked.code, unasked.out.as_str()), (64, ""));
    assert!(
        unasked.err.contains("10.20.1.252"),
        "it shows what goes: {unasked:?}"
    );
    let (code, row) = site.json("reserve delete shop/cart --dry-run");
    assert_eq!((code, &row["outcome"]), (0, &json!("would-delete")));
    assert_eq!(row["addresses"].as_array().map(Vec::len), Some(3));
    assert_eq!(site.content(), before);
    site.done("reserve delete shop/cart --yes");
    assert_eq!(site.json("ip show 10.20.1.254").1["state"], "free");
    assert_eq!(site.run("reserve delete shop/cart --yes").code, 1);
}

#[test]
fn a_pool_with_reservations_is_not_deleted_before_them() {
    let site = made();
    sticky(&site, "10.20.1.9", None);
    site.done("pool drain prod");
    let ran = site.run("pool delete prod --yes");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("shop/workload/cart has addresses of it"),
        "{ran:?}"
    );
    site.done("reserve delete shop/cart --yes");
    let deleted = site.done("pool delete prod --yes");
    assert_eq!(
        deleted,
        "pool prod deleted, with the history of 4 addresses and 1 unused sticky reservation(s)\n"
    );
    assert!(site.content().is_empty());
}

#[test]
fn what_is_not_as_it_should_be_is_shown_and_left_alone() {
    let site = made();
    site.put("/berth/v1/reservations/shop/workload/bad".into(), "{");
    site.put(
        "/berth/v1/reservations/shop/workload/later".into(),
        "{\"v\":2}",
    );
    site.put("/berth/v1/reservations/what".into(), "{}");
    let mut marked = AddressRecord::unused("prod".parse().unwrap());
    marked.reserved_for = Some("shop/workload/gone".parse().unwrap());
    site.put(keys::address("10.20.1.9".parse().unwrap()), marked.encode());
    let before = site.content();
    let listed = site.run("reserve list");
    assert_eq!(listed.code, 1, "{listed:?}");
    for part in [
        "shop/workload/bad: malformed",
        "shop/workload/later: written in",
        "reservations/what: the key spells no reservation",
        "10.20.1.9 is marked for shop/workload/gone, which does not list it",
    ] {
        assert!(listed.err.contains(part), "{part}: {listed:?}");
    }
    for line in [
        "reserve delete shop/bad --yes",
        "reserve extend shop/later --count 1",
        "reserve create shop/later --pool prod --count 1",
        "reserve create shop/new --pool prod --address 10.20.1.9",
    ] {
        assert_eq!(site.run(line).code, 1, "{line}");
    }
    assert_eq!(site.content(), before);
    site.done("reserve delete shop/gone --yes");
    assert_eq!(site.json("ip show 10.20.1.9").1["reservedFor"], json!(null));
}
