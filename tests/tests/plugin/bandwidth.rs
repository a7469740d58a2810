//! Limits on a container's traffic: set, measured, missed by CHECK, and gone with it.

use e2e::lan::{Lan, LanOptions};
use e2e::throughput::{Peer, Way};
use e2e::{debian, process};
use serde_json::{Value, json};

use crate::container::{Container, assert_names};
use crate::ground::{GATEWAY, Ground, Kind, WIDE, set};

/// Limits of both directions, in bits a second, as a runtime passes them.
fn limits(ingress: u64, egress: u64) -> Value {
    json!({"bandwidth": {"ingressRate": ingress, "egressRate": egress}})
}

fn limited<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    let container = ground.container(id);
    container.with("/runtimeConfig", limits(10_000_000, 20_000_000))
}

/// The token bucket before what leaves by `link`: rate in bytes a second, and burst in bytes.
fn bucket(container: &Container<'_>, link: &str) -> Option<(u64, u64)> {
    let queues = container.tc(&["qdisc", "show", "dev", link, "root"]);
    let queue = &queues[0];
    (queue["kind"] == "tbf").then(|| {
        let option = |name: &str| queue["options"][name].as_u64().expect("a number");
        (option("rate"), option("burst"))
    })
}

/// The device that arriving traffic waits at.
fn device(container: &Container<'_>) -> Option<String> {
    let links = container.netns.links();
    links.into_iter().find(|name| name.starts_with("ifb"))
}

#[test]
fn each_direction_is_limited_by_itself_and_nothing_is_set_without_a_limit() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for (ingress, egress) in [(10_000_000, 0), (0, 10_000_000), (0, 0)] {
        let container = ground.container("a");
        let container = container.with("/runtimeConfig", limits(ingress, egress));
        let reply = container.add();
        container.assert_connected(reply.address());
        let egress_set = bucket(&container, "eth0").map(|(rate, _)| rate * 8);
        assert_eq!(egress_set.unwrap_or(0), egress);
        let ingress_set = device(&container).and_then(|name| bucket(&container, &name));
        assert_eq!(ingress_set.map_or(0, |(rate, _)| rate * 8), ingress);
        if let Some(device) = device(&container) {
            let link = container.netns.link(&device).expect("its link");
            assert_eq!(link["addr_info"], json!([]), "it has no address of its own");
        }
        container.check(&reply.json).success();
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0]);
        ground.assert_clean("limits");
    }
}

#[test]
fn the_annotations_limit_as_well_and_the_runtime_wins() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = limited(&ground, "a")
        .annotated("kubernetes.io/ingress-bandwidth", "1G")
        .annotated("kubernetes.io/egress-bandwidth", "nonsense");
    container.add().success();
    assert_eq!(bucket(&container, "eth0"), Some((2_500_000, 15_180)));
    container.del().success();

    let container = ground
        .container("b")
        .annotated("kubernetes.io/ingress-bandwidth", "40G")
        .annotated("kubernetes.io/egress-bandwidth", "100M");
    container.add().success();
    assert_eq!(bucket(&container, "eth0"), Some((12_500_000, 50_000)));
    // More than 32 bits of bytes a second.
    let device = device(&container).expect("a device");
    let (rate, _) = bucket(&container, &device).expect("a bucket");
    assert_eq!(rate, 5_000_000_000);
}

#[test]
fn case_65_a_limit_that_cannot_be_leaves_nothing() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for value in ["10Q", "-1", "0", "2P"] {
        let name = "kubernetes.io/egress-bandwidth";
        let container = ground.container("a").annotated(name, value);
        container.refused(7, &[name, value]);
    }
}

#[test]
fn case_66_what_containerd_passes_has_our_own_burst() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let most = u64::from(u32::MAX);
    let passed = json!({"bandwidth": {
        "IngressRate": 10_000_000, "IngressBurst": most, "EgressRate": 0, "EgressBurst": 0,
    }});
    let container = ground.container("a").with("/runtimeConfig", passed);
    container.add().success();
    assert_eq!(bucket(&container, "eth0"), None);
    let device = device(&container).expect("a device");
    assert_eq!(bucket(&container, &device), Some((1_250_000, 15_180)));
}

#[test]
fn case_67_a_burst_is_kept_and_none_is_our_own() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let passed = json!({"bandwidth": {
        "ingressRate": 10_000_000, "ingressBurst": 8_000_000,
        "egressRate": 10_000_000, "egressBurst": 0,
    }});
    let container = ground.container("a").with("/runtimeConfig", passed);
    container.add().success();
    assert_eq!(bucket(&container, "eth0"), Some((1_250_000, 15_180)));
    let device = device(&container).expect("a device");
    assert_eq!(bucket(&container, &device), Some((1_250_000, 1_000_000)));
}

#[test]
fn frames_of_a_large_mtu_pass() {
    let lan = Lan::new(&LanOptions {
        mtu: 9000,
        ..LanOptions::default()
    });
    let ground = Ground::on(lan, Kind::Embedded, WIDE, 1);
    let container = limited(&ground, "a");
    container.add().success();
    assert_eq!(bucket(&container, "eth0"), Some((2_500_000, 90_180)));
    let ping = debian::require("ping", "iputils-ping");
    let mut ping = container.netns.command(ping);
    let whole = ["-n", "-q", "-c", "3", "-i", "0.2", "-M", "do", "-s", "8972"];
    process::output(ping.args(whole).arg(GATEWAY.to_string()));
}

#[test]
fn a_missing_limit_fails_check() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let breaks: [(&str, &[&str], &str); 6] = [
        ("tc", &["qdisc", "del", "dev", "eth0", "root"], "leaves"),
        ("tc", &["qdisc", "del", "dev", "eth0", "clsact"], "arrives"),
        (
            "tc",
            &["filter", "del", "dev", "eth0", "ingress"],
            "arrives",
        ),
        ("tc", &["qdisc", "del", "dev", "DEVICE", "root"], "arrives"),
        ("ip", &["link", "set", "DEVICE", "down"], "arrives"),
        ("ip", &["link", "del", "DEVICE"], "arrives"),
    ];
    for (program, change, named) in breaks {
        let container = limited(&ground, "a");
        let result = container.add().success().clone();
        container.check(&result).success();
        let name = device(&container).expect("a device");
        let change: Vec<_> = change
            .iter()
            .map(|word| if *word == "DEVICE" { &name } else { *word })
            .collect();
        if program == "tc" {
            container.tc(&change);
        } else {
            container.netns.ip(&change);
        }
        assert_names(&container.check(&result).failure(), 999, &["eth0", named]);
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0], "{change:?}");
    }
    let container = limited(&ground, "a");
    let result = container.add().success().clone();
    let slower = "qdisc replace dev eth0 root tbf rate 1mbit burst 15k limit 60k";
    container.tc(&slower.split(' ').collect::<Vec<_>>());
    let error = container.check(&result).failure();
    assert_names(&error, 999, &["eth0", "1000000 bit/s", "20000000"]);
}

#[test]
fn a_repeated_add_changes_nothing_and_a_new_life_has_its_own_limits() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let mut container = limited(&ground, "a");
    let first = container.add().success().clone();
    let before = container.netns.links();
    assert_eq!(container.add().success(), &first);
    assert_eq!(container.netns.links(), before);

    // The interface is lost, and the container gets another, with other limits.
    container.netns.ip(&["link", "del", "eth0"]);
    set(
        &mut container.config,
        "/runtimeConfig",
        limits(30_000_000, 0),
    );
    container.add().success();
    assert_eq!(bucket(&container, "eth0"), None);
    let after = container.netns.links();
    assert_eq!(
        after.len(),
        2,
        "the earlier life's device is gone: {after:?}"
    );
    container.del().success();
    assert_eq!(container.netns.links(), [""; 0]);
    ground.assert_clean("a new life");
}

#[test]
fn del_removes_the_device_with_the_files_lost_and_the_interface_gone() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = limited(&ground, "a");
    container.add().success();
    container.netns.ip(&["link", "del", "eth0"]);
    std::fs::remove_dir_all(ground.node().file("run")).expect("lose the files");
    container.del().success();
    assert_eq!(container.netns.links(), [""; 0]);
    container.del().success();
    ground.assert_clean("files lost");
}

#[test]
fn two_interfaces_of_a_container_have_limits_of_their_own() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = limited(&ground, "a");
    container.add().success();
    let mut second = container.call_of("ADD");
    second.ifname = "net1";
    container.answer(&second).success();
    assert_eq!(container.netns.links().len(), 4);
    second.command = "DEL";
    container.answer(&second).success();
    let left = container.netns.links();
    assert!(
        left.len() == 2 && left.contains(&"eth0".to_owned()),
        "{left:?}"
    );
    assert!(device(&container).is_some_and(|name| bucket(&container, &name).is_some()));
}

#[test]
fn traffic_keeps_to_the_limit_in_both_directions() {
    assert_limited(&Ground::new(Kind::Embedded, WIDE));
}

#[test]
fn traffic_through_a_port_keeps_to_the_limit_in_both_directions() {
    assert_limited(&Ground::switched(Kind::Embedded, WIDE));
}

/// A busy machine is slower than a limit, and a reader that had to wait catches up faster than it:
/// what is asserted would still show bits taken for bytes, or no limit at all. How near traffic
/// comes is for `bench-cni bandwidth` to say.
#[track_caller]
fn assert_limited(ground: &Ground) {
    let peer = Peer::at(ground.lan.netns(), GATEWAY);
    for megabits in [10_u32, 100] {
        let container = ground.container("a");
        let rate = u64::from(megabits) * 1_000_000;
        let container = container.with("/runtimeConfig", limits(rate, rate));
        container.add().success();
        for way in Way::ALL {
            let measured = peer.measure(&container.netns, way, 2) / 1e6;
            let ratio = measured / f64::from(megabits);
            let what = format!("{} of {megabits} Mbit/s: {measured}", way.word());
            assert!(ratio < 1.5 && ratio > 0.5, "{what}");
        }
        container.del().success();
    }
}

#[test]
fn limits_behind_a_port_are_set_checked_and_gone_with_it() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let container = limited(&ground, "a");
    let reply = container.add();
    container.assert_connected(reply.address());
    assert_eq!(bucket(&container, "eth0"), Some((2_500_000, 15_180)));
    let device = device(&container).expect("a device");
    let (rate, _) = bucket(&container, &device).expect("a bucket");
    assert_eq!(rate, 1_250_000);
    container.check(&reply.json).success();
    assert_eq!(container.add().json, reply.json, "repeated");
    container.tc(&["qdisc", "del", "dev", "eth0", "root"]);
    let error = container.check(&reply.json).failure();
    assert_names(&error, 999, &["eth0", "leaves"]);
    container.del().success();
    assert_eq!(container.netns.links(), [""; 0]);
    ground.assert_clean("limits behind a port");
}
