//! `cnictl ip history` and `cnictl ip who`.

use std::fs;
use std::net::IpAddr;

use berth_ipam::history::{Change, Log, What};
use berth_store::Revision;
use berth_types::{AddressRecord, Record as _, keys};
use jiff::Timestamp;
use serde_json::json;

use crate::support::{Site, attachment, holder};

fn day(day: u8) -> Timestamp {
    format!("2026-03-{day:02}T12:00:00Z").parse().unwrap()
}

/// 10.20.1.7 was held by web-1 on the first, by web-2 on the third, and so on, each for a day.
fn lived(lives: u8) -> Site {
    let site = Site::with_pool();
    let address: IpAddr = "10.20.1.7".parse().unwrap();
    let mut record = AddressRecord::unused("prod".parse().unwrap());
    for life in 1..=lives {
        let mut holder = holder(&attachment("node-1", &format!("web-{life}")), address);
        holder.since = day(2 * life - 1);
        record = record.held_by(holder).released(day(2 * life));
    }
    site.put(keys::address(address), record.encode());
    site
}

#[test]
fn a_history_lists_the_holders_newest_first_and_says_how_far_it_reaches() {
    let two = lived(2).run("ip history 10.20.1.7");
    let expected = "\
SINCE (UTC)           UNTIL (UTC)           POD         HOLDER
2026-03-03T12:00:00Z  2026-03-04T12:00:00Z  shop/web-2  node-1/pods/web-2/eth0
2026-03-01T12:00:00Z  2026-03-02T12:00:00Z  shop/web-1  node-1/pods/web-1/eth0
";
    assert_eq!(
        (two.code, two.out.as_str(), two.err.as_str()),
        (0, expected, "")
    );
    let many = lived(6).run("ip history 10.20.1.7");
    assert_eq!(many.out.lines().count(), 5, "{many:?}");
    assert!(
        many.err
            .contains("before 2026-03-05T12:00:00Z is not remembered"),
        "{many:?}"
    );
    let site = Site::with_pool();
    site.hold("10.20.1.9", "node-1", "web-9");
    assert!(
        site.done("ip history 10.20.1.9")
            .contains("2026-03-01T12:00:00Z  still")
    );
    let none = site.run("ip history 10.20.1.8");
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(
        none.err.contains("nobody is known to have held 10.20.1.8"),
        "{none:?}"
    );
}

#[test]
fn who_had_an_address_is_told_or_that_nothing_tells() {
    let site = lived(6);
    let ask = |at: &str| site.json(&format!("ip who 10.20.1.7 --at {at}"));
    let (code, row) = ask("2026-03-07T18:00:00Z");
    assert_eq!((code, &row["outcome"]), (0, &json!("held")));
    assert_eq!(row["holder"]["attachment"], "node-1/pods/web-4/eth0");
    let (code, row) = ask("2026-03-08T18:00:00+00:00");
    assert_eq!((code, &row["outcome"]), (0, &json!("free")));
    assert_eq!(row["after"]["attachment"], "node-1/pods/web-4/eth0");
    assert_eq!(row["before"]["attachment"], "node-1/pods/web-5/eth0");
    let (code, row) = ask("2026-03-01T18:00:00Z");
    assert_eq!((code, &row["outcome"]), (2, &json!("unknown")));
    assert_eq!(row["unknownBefore"], "2026-03-05T12:00:00Z");
    let unknown = site.run("ip who 10.20.1.7 --at 2026-03-01T18:00:00Z");
    assert!(
        unknown
            .out
            .starts_with("unknown before 2026-03-05T12:00:00Z: "),
        "{unknown:?}"
    );
    let held = site.done("ip who 10.20.1.7 --at 2026-03-07T18:00:00Z");
    assert_eq!(
        held,
        "10.20.1.7 was held at 2026-03-07T18:00:00Z by pod shop/web-4 as node-1/pods/web-4/eth0, \
         from 2026-03-07T12:00:00Z until 2026-03-08T12:00:00Z\n"
    );
}

#[test]
fn an_address_of_no_pool_is_unknown_and_one_that_nobody_had_is_free() {
    let site = lived(1);
    assert_eq!(site.json("ip who 10.20.1.8").1["outcome"], "free");
    let outside = site.run("ip who 10.88.1.8");
    assert_eq!(outside.code, 2, "{outside:?}");
    assert!(outside.out.contains("is in no pool"), "{outside:?}");
    site.put("/berth/v1/addresses/010.020.001.009".into(), "{\"v\":2}");
    for line in ["ip who 10.20.1.9", "ip history 10.20.1.9"] {
        let newer = site.run(line);
        assert_eq!(newer.code, 1, "{line}: {newer:?}");
        assert!(
            newer.err.contains("written in schema version 2"),
            "{newer:?}"
        );
    }
}

#[test]
fn a_nodes_own_log_tells_more_and_needs_no_store() {
    let site = lived(6);
    let log = Log::below(&site.file("state"));
    let address: IpAddr = "10.20.1.7".parse().unwrap();
    let holder = holder(&attachment("node-1", "web-1"), address);
    for (at, what, revision) in [(1, What::Held, 2), (2, What::Released, 3)] {
        let of = (address, &"prod".parse().unwrap());
        log.append(&Change::new(what, of, &holder, Revision(revision), day(at)));
    }
    let state = site.file("state");
    let state = state.display();

    let who = format!("ip who 10.20.1.7 --at 2026-03-01T18:00:00Z --node --state-dir {state}");
    let (code, row) = site.json(&who);
    assert_eq!((code, &row["outcome"]), (0, &json!("held")), "{row}");
    assert_eq!(row["holder"]["attachment"], "node-1/pods/web-1/eth0");
    fs::remove_dir_all(site.file("store")).unwrap();
    let own = site.done(&format!("ip history 10.20.1.7 --node --state-dir {state}"));
    let expected = "\
AT (UTC)              WHAT      POD         HOLDER                  REVISION
2026-03-02T12:00:00Z  released  shop/web-1  node-1/pods/web-1/eth0         3
2026-03-01T12:00:00Z  held      shop/web-1  node-1/pods/web-1/eth0         2
";
    assert_eq!(own, expected);
}

/// An earlier pool, deleted since, may have given it.
#[test]
fn before_the_first_holder_nobody_is_said_as_far_as_the_pool_goes() {
    let site = Site::with_pool();
    site.hold("10.20.1.2", "node-1", "web-1");
    let said = site.done("ip who 10.20.1.2 --at 2020-01-01T00:00:00Z");
    assert!(said.contains("as far back as its pool goes"), "{said}");
}
