//! Addresses, hardware addresses and MTUs asked for: cases 16, 17, 51 and 52.

use std::net::IpAddr;

use e2e::lan::{Lan, LanOptions};
use serde_json::json;

use crate::container::{Container, assert_names};
use crate::ground::{Ground, Kind, WIDE, ip};

/// A container that asks for an address through the capability `ips`.
fn asking<'a>(ground: &'a Ground, ips: &[&str]) -> Container<'a> {
    ground
        .container("a")
        .with("/runtimeConfig", json!({"ips": ips}))
}

#[test]
fn case_16_an_address_the_pool_does_not_hand_out_is_refused_and_no_other_given() {
    let subnet = [
        WIDE,
        &[
            "--exclude",
            "10.20.1.32/28",
            "--range",
            "10.20.1.1-10.20.1.99",
        ],
    ]
    .concat();
    let ground = Ground::new(Kind::Embedded, &subnet);
    for address in [
        "10.99.0.1",
        "10.20.1.0",
        "10.20.1.255",
        "10.20.1.1",
        "10.20.1.40",
        "10.20.1.100",
        "fd00::1",
    ] {
        asking(&ground, &[address]).refused(105, &[address, "prod"]);
    }
    let taken = ground
        .container("b")
        .with("/runtimeConfig", json!({"ips": ["10.20.1.50"]}));
    taken.add().success();
    let error = asking(&ground, &["10.20.1.50"]).add().failure();
    assert_names(&error, 102, &["10.20.1.50", "b/eth0"]);
    assert_eq!(ground.held(), [ip("10.20.1.50")]);
    taken.del().success();
    asking(&ground, &["10.20.1.50", "10.20.1.51"]).refused(7, &["runtimeConfig.ips"]);
}

#[test]
fn case_17_an_address_is_read_strictly_and_the_pool_decides_its_mask() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for raw in [
        "10.20.1.017",
        "10.20.1",
        "10.20.1.17 ",
        "0x0a140111",
        "10.20.1.17/33x",
        "",
        "ten",
    ] {
        asking(&ground, &[raw]).refused(7, &["runtimeConfig.ips", &format!("{raw:?}")]);
    }
    for raw in [
        "10.20.1.17",
        "10.20.1.17/32",
        "10.20.1.17/16",
        "::ffff:10.20.1.17",
    ] {
        let container = asking(&ground, &[raw]);
        let reply = container.add();
        assert_eq!(
            reply.success()["ips"][0]["address"],
            "10.20.1.17/24",
            "{raw}"
        );
        container.assert_connected(ip("10.20.1.17"));
        container.del().success();
    }
    ground.assert_clean("addresses in every spelling");
}

#[test]
fn case_51_an_mtu_that_cannot_work_is_code_7() {
    let lan = Lan::new(&LanOptions {
        mtu: 1400,
        ..LanOptions::default()
    });
    let ground = Ground::on(lan, Kind::Embedded, WIDE, 1);
    for mtu in [
        json!(-1),
        json!(67),
        json!(1401),
        json!(65536),
        json!(1e9),
        json!("1400"),
    ] {
        let shown = mtu.to_string();
        ground
            .container("a")
            .with("/mtu", mtu)
            .refused(7, &["mtu", &shown]);
    }
    // 0 means the master's, as the reference plugin has it.
    for (mtu, expected) in [
        (json!(null), 1400),
        (json!(0), 1400),
        (json!(68), 68),
        (json!(1300), 1300),
    ] {
        let container = ground.container("a").with("/mtu", mtu);
        let reply = container.add();
        assert_eq!(reply.success()["interfaces"][0]["mtu"], expected);
        assert_eq!(
            container.netns.link("eth0").expect("a link")["mtu"],
            expected
        );
        container.del().success();
    }
}

#[test]
fn case_52_a_hardware_address_that_cannot_work_is_code_7() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let master = ground.node().netns().link("uplink0").expect("an uplink");
    let master = master["address"].as_str().expect("a MAC");
    for mac in [
        "nonsense",
        "02:00:00:00:00",
        "01:00:5e:00:00:01",
        "00:00:00:00:00:00",
        "",
        master,
    ] {
        let asking = ground
            .container("a")
            .with("/runtimeConfig", json!({"mac": mac}));
        asking.refused(7, &["mac", mac]);
    }
    let asking = |id: &str| {
        ground
            .container(id)
            .with("/runtimeConfig", json!({"mac": "02:00:00:00:00:17"}))
    };
    let first = asking("first");
    let address: IpAddr = first.add().address();
    let second = asking("second");
    let error = second.add().failure();
    assert_names(&error, 7, &["mac", "02:00:00:00:00:17"]);
    assert_eq!(second.netns.links(), [""; 0]);
    assert_eq!(ground.held(), [address]);
    first.assert_connected(address);
}
