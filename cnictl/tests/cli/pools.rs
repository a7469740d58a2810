//! `cnictl pool`.

use berth_store::Write;
use berth_types::{BlockRecord, Record as _, SchemaVersion, keys};
use serde_json::json;

use crate::support::Site;

/// Two held addresses in one claimed block, one released.
fn busy() -> Site {
    let site = Site::new();
    site.done(
        "pool create prod --subnet 10.20.1.0/24 --subnet 10.20.2.0/25 --gateway 10.20.1.1 \
         --range 10.20.2.10-10.20.2.99 --exclude 10.20.1.128/25 --exclude 10.20.2.20 --vlan 120",
    );
    site.done("pool create spare --subnet 10.30.0.0/30 --block-size 4");
    let block = BlockRecord {
        v: SchemaVersion,
        node: "node-1".parse().unwrap(),
    };
    let first = "10.20.1.0".parse().unwrap();
    let key = keys::block(&"prod".parse().unwrap(), first);
    site.commit(vec![Write::put(key, block.encode())]);
    site.hold("10.20.1.2", "node-1", "web-1");
    site.hold("10.20.1.3", "node-1", "web-2");
    site.hold("10.20.2.10", "node-2", "web-3");
    site.done("release 10.20.1.3 --yes");
    site
}

#[test]
fn a_list_of_pools_counts_what_is_held_and_free() {
    let expected = "\
POOL   STATE   SIZE (addresses)  HELD (addresses)  FREE (addresses)  CLAIMED (blocks)  SUBNETS
prod   active               215                 2               213                 1  10.20.1.0/24,10.20.2.0/25
spare  active                 2                 0                 2                 0  10.30.0.0/30
";
    assert_eq!(busy().done("pool list"), expected);
}

#[test]
fn a_pool_shows_its_subnets_and_blocks() {
    let expected = "\
POOL                         prod
STATE                        active
SIZE (addresses)             215
HELD (addresses)             2
FREE (addresses)             213
RESERVED (addresses)         0
EXCLUDED-IN-USE (addresses)  0
UNREADABLE (records)         0
BLOCK SIZE (addresses)       16
NAMESPACES                   all
NODES                        all
STICKY                       no
COOLDOWN                     30s
REVISION                     1

SUBNET        GATEWAY    RANGE                  EXCLUDED                 VLAN  SIZE (addresses)
10.20.1.0/24  10.20.1.1  all                    10.20.1.128-10.20.1.255   120               126
10.20.2.0/25  -          10.20.2.10-10.20.2.99  10.20.2.20                120                89

BLOCK                 NODE    HELD (addresses)
10.20.1.0-10.20.1.15  node-1                 1
";
    assert_eq!(busy().done("pool show prod"), expected);
}

#[test]
fn a_pool_in_json_has_a_stable_shape() {
    let site = busy();
    let prod = json!({
        "pool": "prod", "state": "active", "revision": 1, "problem": null,
        "size": 215, "held": 2, "free": 213, "reserved": 0, "excludedInUse": 0, "unreadable": 0,
        "blockSize": 16, "namespaces": [], "nodes": [], "sticky": false, "stickyForS": 604_800,
        "cooldownS": 30,
        "subnets": [
            { "cidr": "10.20.1.0/24", "gateway": "10.20.1.1", "range": null,
              "exclude": ["10.20.1.128-10.20.1.255"], "vlan": 120, "routes": [], "size": 126 },
            { "cidr": "10.20.2.0/25", "gateway": null, "range": "10.20.2.10-10.20.2.99",
              "exclude": ["10.20.2.20"], "vlan": 120, "routes": [], "size": 89 },
        ],
        "blocks": [{ "first": "10.20.1.0", "last": "10.20.1.15", "node": "node-1", "held": 1,
                     "problem": null }],
    });
    assert_eq!(site.json("pool show prod"), (0, prod.clone()));
    let (code, list) = site.json("pool list");
    assert_eq!((code, &list[0]), (0, &prod));
    assert_eq!(list[1]["blockSize"], 4);
}

#[test]
fn create_and_extend_answer_with_the_pool_and_create_only_once() {
    let site = Site::new();
    let made = site.done("pool create prod --subnet 10.20.1.0/24 --gateway 10.20.1.1");
    assert_eq!(made, "pool prod created: 253 addresses in 10.20.1.0/24\n");
    let again = site.run("pool create prod --subnet 10.21.1.0/24");
    assert_eq!(again.code, 1);
    assert!(
        again
            .err
            .starts_with("error: pool prod exists already\n  hint: "),
        "{again:?}"
    );
    let more = site.done("pool extend prod --subnet 10.20.2.0/24 --exclude 10.20.2.0/25");
    assert_eq!(
        more,
        "pool prod extended: 380 addresses in 10.20.1.0/24, 10.20.2.0/24\n"
    );
    let (code, row) = site.json("pool extend prod --subnet 2001:db8::/64");
    assert_eq!(
        (code, &row["subnets"][2]["cidr"]),
        (0, &json!("2001:db8::/64"))
    );
}

#[test]
fn an_empty_list_says_so_beside_the_output() {
    let site = Site::with_pool();
    site.done("pool drain prod");
    site.done("pool delete prod --yes");
    let listed = site.run("pool list");
    assert_eq!((listed.code, listed.out.as_str()), (0, ""));
    assert!(listed.err.contains("no pool"), "{listed:?}");
    let listed = site.run("pool list -o json");
    assert_eq!((listed.code, listed.out.as_str()), (0, "[]\n"));
}

#[test]
fn a_pool_is_deleted_with_the_memory_of_its_addresses_only_when_nobody_holds_one() {
    let site = busy();
    let active = site.run("pool delete prod --yes");
    assert_eq!(active.code, 1);
    let drain = "error: pool prod is active\n  hint: ";
    assert!(
        active.err.starts_with(drain) && active.err.contains("`cnictl pool drain`"),
        "{active:?}"
    );
    assert_eq!(
        site.done("pool drain prod"),
        "pool prod is draining; held addresses: 2\n"
    );
    let before = site.content();
    let refused = site.run("pool delete prod --yes");
    assert_eq!(refused.code, 1);
    let in_use = "error: pool prod is in use: 2 of its addresses are held, \
                  10.20.1.2 by node-1/pods/web-1/eth0\n  hint: ";
    assert!(refused.err.starts_with(in_use), "{refused:?}");
    assert_eq!(site.content(), before, "a refused deletion changes nothing");

    site.done("release 10.20.1.2 10.20.2.10 --yes");
    let before = site.content();
    assert_eq!(
        site.done("pool delete prod --dry-run"),
        "pool prod would be deleted: 215 addresses in 10.20.1.0/24, 10.20.2.0/25, \
         with the history of 3 addresses\n"
    );
    let unasked = site.run("pool delete prod");
    assert_eq!(unasked.code, 64, "nobody is there to be asked: {unasked:?}");
    assert_eq!(site.content(), before, "neither wrote anything");

    assert_eq!(
        site.json("pool delete prod --yes"),
        (
            0,
            json!({"pool": "prod", "outcome": "deleted", "remembered": 3, "reservations": []})
        )
    );
    let left: Vec<_> = site.content().into_iter().map(|(key, ..)| key).collect();
    assert_eq!(left, ["/berth/v1/pools/spare"]);
}

#[test]
fn a_pool_that_is_not_there_is_named() {
    let site = Site::with_pool();
    for line in [
        "pool show blue",
        "pool delete blue --yes",
        "pool extend blue --subnet 10.9.0.0/24",
        "ip list --pool blue",
    ] {
        let ran = site.run(line);
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        assert!(
            ran.err
                .starts_with("error: pool blue does not exist\n  hint: "),
            "{line}: {ran:?}"
        );
    }
}

#[test]
fn records_that_cannot_be_read_are_shown_and_left_alone() {
    let site = Site::with_pool();
    site.put("/berth/v1/pools/broken".into(), "{");
    site.put("/berth/v1/pools/later".into(), r#"{"v":2,"new":true}"#);
    site.put("/berth/v1/blocks/prod/010.020.001.000".into(), "?");
    let before = site.content();
    let listed = site.run("pool list");
    let expected = "\
POOL    STATE      SIZE (addresses)  HELD (addresses)  FREE (addresses)  CLAIMED (blocks)  SUBNETS
broken  malformed                 -                 -                 -                 -  -
later   newer                     -                 -                 -                 -  -
prod    active                  253                 0               253                 1  10.20.1.0/24
";
    assert_eq!((listed.code, listed.out.as_str()), (1, expected));
    for key in [
        "pools/broken: malformed",
        "pools/later: written in",
        "blocks/prod/",
    ] {
        assert!(listed.err.contains(key), "{key}: {listed:?}");
    }
    let (code, shown) = site.json("pool show later");
    assert_eq!(
        (code, &shown["state"], &shown["size"]),
        (1, &json!("newer"), &json!(null))
    );
    assert_eq!(site.run("pool show prod").code, 1);
    // Its subnets are unknown, so nothing can be made beside it.
    for line in [
        "pool create more --subnet 10.9.0.0/24",
        "pool delete later --yes",
    ] {
        let ran = site.run(line);
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        assert!(
            ran.err.starts_with("error: /berth/v1/pools/"),
            "{line}: {ran:?}"
        );
    }
    assert_eq!(site.content(), before);
}

#[test]
fn a_pool_drains_and_resumes() {
    let site = Site::with_pool();
    site.hold("10.20.1.2", "node-1", "web-1");
    let before = site.content();
    assert_eq!(
        site.done("pool drain prod --dry-run"),
        "pool prod would be changed\nFIELD  BEFORE  AFTER\nstate  active  draining\n"
    );
    assert_eq!(site.content(), before);
    assert_eq!(
        site.done("pool drain prod"),
        "pool prod is draining; held addresses: 1\n"
    );
    assert!(site.done("pool list").contains("draining"));
    assert_eq!(
        site.done("pool drain prod"),
        "pool prod is like that already\n"
    );
    assert_eq!(
        site.done("pool resume prod"),
        "pool prod is active; held addresses: 1\n"
    );
    let (code, row) = site.json("pool resume prod");
    assert_eq!(
        (code, &row["state"], &row["outcome"]),
        (0, &json!("active"), &json!("unchanged"))
    );
    assert_eq!(site.run("pool resume blue").code, 1);
}

#[test]
fn a_pool_that_cannot_be_makes_no_store() {
    let site = Site::new();
    let ran = site.run("pool create prod --subnet 10.20.1.5/24");
    assert_eq!(ran.code, 64, "{ran:?}");
    assert!(!site.file("store").exists());
}

/// Its addresses are unknown, so that new ones could be its own; nothing else needs them.
#[test]
fn a_pool_that_cannot_be_read_stands_in_the_way_of_new_subnets_only() {
    for (key, value) in [("broken", "zz"), ("later", r#"{"v":2}"#), ("A/B", "{}")] {
        let site = Site::with_pool();
        site.put(format!("{}{key}", keys::POOLS), value);
        for line in [
            "pool create other --subnet 10.30.0.0/24",
            "pool extend prod --subnet 10.30.0.0/24",
        ] {
            let ran = site.run(line);
            assert_eq!(ran.code, 1, "{line}: {ran:?}");
            assert!(ran.err.contains(key), "{line}: {ran:?}");
        }
        site.done("pool exclude prod 10.20.1.9");
        site.done("pool set prod --cooldown 5s");
        site.done("pool drain prod");
        site.done("pool delete prod --yes");
    }
}
