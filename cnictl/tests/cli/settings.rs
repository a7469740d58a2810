//! `cnictl pool set`, `exclude` and `include`.

use berth_store::Write;
use berth_types::{BlockRecord, Record as _, SchemaVersion, keys};
use serde_json::json;

use crate::support::Site;

#[test]
fn a_pool_is_made_with_settings_and_shows_them() {
    let site = Site::new();
    site.done(
        "pool create prod --subnet 10.20.1.0/24 --namespaces shop-*,bank --nodes rack1-* \
         --sticky --sticky-for 0 --cooldown 5m --block-size 8",
    );
    let shown = site.done("pool show prod");
    for line in [
        "BLOCK SIZE (addresses)       8",
        "NAMESPACES                   shop-*,bank",
        "NODES                        rack1-*",
        "STICKY                       for-ever",
        "COOLDOWN                     5m",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    let (_, row) = site.json("pool show prod");
    assert_eq!(row["namespaces"], json!(["shop-*", "bank"]));
    assert_eq!(
        (&row["sticky"], &row["stickyForS"]),
        (&json!(true), &json!(0))
    );
}

#[test]
fn a_change_is_shown_field_by_field_and_a_dry_run_makes_none() {
    let site = Site::with_pool();
    let before = site.content();
    let line = "pool set prod --sticky --cooldown 1m --nodes rack1-*";
    let fields = "\
FIELD     BEFORE  AFTER
nodes     all     rack1-*
sticky    no      7d
cooldown  30s     1m
";
    assert_eq!(
        site.done(&format!("{line} --dry-run")),
        format!("pool prod would be changed\n{fields}")
    );
    assert_eq!(site.content(), before);
    let (code, row) = site.json(&format!("{line} --dry-run"));
    assert_eq!((code, &row["outcome"]), (0, &json!("would-change")));
    assert_eq!(
        row["changes"][1],
        json!({"field": "sticky", "before": "no", "after": "7d"})
    );
    assert_eq!(row["cooldownS"], 30, "the pool is shown as it is");
    assert_eq!(site.done(line), format!("pool prod changed\n{fields}"));
    let before = site.content();
    assert_eq!(site.done(line), "pool prod is like that already\n");
    assert_eq!(
        site.content(),
        before,
        "what changes nothing is not written"
    );
    // Nothing else of it is touched, and all of it can be taken back.
    site.done("pool set prod --sticky=off --cooldown 30s");
    let back = site.run_words(&["pool", "set", "prod", "--nodes", ""]);
    assert_eq!(back.code, 0, "{back:?}");
    let (_, row) = site.json("pool show prod");
    assert_eq!((&row["nodes"], &row["sticky"]), (&json!([]), &json!(false)));
}

#[test]
fn a_block_size_is_fixed_once_a_node_has_claimed_one() {
    let site = Site::with_pool();
    site.done("pool set prod --block-size 32");
    let block = BlockRecord {
        v: SchemaVersion,
        node: "node-1".parse().unwrap(),
    };
    let key = keys::block(&"prod".parse().unwrap(), "10.20.1.0".parse().unwrap());
    site.commit(vec![Write::put(key, block.encode())]);
    let before = site.content();
    let ran = site.run("pool set prod --block-size 16");
    assert_eq!(ran.code, 1, "{ran:?}");
    let words = "error: block size 32 of pool prod is fixed: nodes have claimed 1 of its blocks\n";
    assert!(ran.err.starts_with(words), "{ran:?}");
    assert_eq!(site.content(), before);
}

#[test]
fn case_62_an_exclusion_over_an_address_in_use_is_made_and_shown() {
    let site = Site::with_pool();
    site.hold("10.20.1.12", "node-1", "web-1");
    site.done("reserve create shop/cart --pool prod --address 10.20.1.13");
    let ran = site.run("pool exclude prod 10.20.1.10-10.20.1.19");
    let expected = "\
pool prod changed: 243 addresses in 10.20.1.0/24
FIELD     BEFORE  AFTER
excluded  -       10.20.1.10-10.20.1.19
size      253     243
";
    assert_eq!((ran.code, ran.out.as_str()), (0, expected));
    for part in [
        "10.20.1.12 is held by node-1/pods/web-1/eth0",
        "10.20.1.13 is reserved for shop/",
    ] {
        assert!(ran.err.contains(part), "{part}: {ran:?}");
    }
    assert!(
        site.done("ip list")
            .contains("10.20.1.12  prod  excluded-in-use  node-1")
    );
    let (_, row) = site.json("pool show prod");
    assert_eq!(
        (&row["held"], &row["excludedInUse"]),
        (&json!(1), &json!(1))
    );
    site.done("release 10.20.1.12 --yes");
    assert_eq!(site.json("ip show 10.20.1.12").1["state"], "unusable");
    site.done("pool include prod 10.20.1.12");
    assert_eq!(site.json("ip show 10.20.1.12").1["state"], "free");
    let (_, row) = site.json("pool show prod");
    assert_eq!(
        row["subnets"][0]["exclude"],
        json!(["10.20.1.10-10.20.1.11", "10.20.1.13-10.20.1.19"])
    );
}

#[test]
fn an_ipv6_pool_is_shown_in_numbers_that_can_be_read() {
    let site = Site::new();
    let made = site.done("pool create six --subnet 2001:db8::/64");
    assert_eq!(made, "pool six created: ~2^64 addresses in 2001:db8::/64\n");
    assert_eq!(
        site.json("pool show six").1["size"],
        u64::MAX,
        "programs can"
    );
}
