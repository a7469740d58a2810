//! The VLAN that a port is asked for in before its address is known: noted, right, and wrong.

use std::fs;
use std::path::PathBuf;
use std::process::Child;

use serde_json::{Value, json};

use super::port_of;
use crate::container::Container;
use crate::ground::{Ground, Kind, POOL, WIDE};

/// What a pool in VLAN 7 is made with.
pub(crate) const TAGGED: &[&str] = &["--subnet", "10.21.0.0/24", "--vlan", "7"];

/// The file in which the node notes the VLAN of a pool's addresses.
pub(crate) fn noted_at(ground: &Ground, pool: &str) -> PathBuf {
    ground.node().file("run").join("tagged").join(pool)
}

/// Has the node believe that.
pub(crate) fn plant(ground: &Ground, pool: &str, belief: &str) {
    let path = noted_at(ground, pool);
    fs::create_dir_all(path.parent().expect("a folder")).expect("make the folder");
    fs::write(path, belief).expect("write the belief");
}

fn noted(ground: &Ground, pool: &str) -> String {
    fs::read_to_string(noted_at(ground, pool)).expect("a belief")
}

fn tag(ground: &Ground, container: &Container<'_>) -> Value {
    let port = port_of(ground, container);
    ground.ovs().column("Port", &port, "tag")
}

/// How many frames have arrived at the container.
fn heard(container: &Container<'_>) -> u64 {
    let links = container.netns.ip_json(&["-s", "link", "show", "eth0"]);
    let heard = links
        .pointer("/0/stats64/rx/packets")
        .and_then(Value::as_u64);
    heard.unwrap_or_else(|| panic!("no counters: {links}"))
}

/// The node's interface has the hardware address of the container's noted, whenever that was known.
fn assert_mac_noted(ground: &Ground, container: &Container<'_>) {
    let port = port_of(ground, container);
    let ids = ground.ovs().column("Interface", &port, "external_ids");
    let mac = container.netns.link("eth0").expect("eth0")["address"].clone();
    let pairs = ids[1].as_array().expect("a map");
    assert!(pairs.contains(&json!(["attached-mac", mac])), "{ids}");
}

/// Broadcasts from a container, hundreds a second, until it is dropped.
struct Babble(Child);

impl Babble {
    fn start(container: &Container<'_>) -> Self {
        let mut ping = container.netns.command("/bin/ping");
        ping.args(["-b", "-q", "-I", "eth0", "-i", "0.002", "10.20.1.255"]);
        ping.stdout(std::process::Stdio::null());
        ping.stderr(std::process::Stdio::null());
        Self(ping.spawn().expect("start ping"))
    }
}

impl Drop for Babble {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_first_add_notes_the_pools_vlan_and_the_next_one_is_in_it() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    ground.create_pool("tagged", TAGGED);
    for (pool, note, vlan) in [
        (POOL, "untagged", json!(["set", []])),
        ("tagged", "7", json!(7)),
    ] {
        let [first, second] =
            ["a", "b"].map(|id| ground.container(id).with("/ipam/pool", json!(pool)));
        for container in [&first, &second] {
            let reply = container.add();
            reply.success();
            assert_eq!(noted(&ground, pool), note);
            assert_eq!(tag(&ground, container), vlan, "{pool}");
            assert_mac_noted(&ground, container);
            container.check(&reply.json).success();
        }
        assert!(
            first.netns.ping(second.netns.addresses("eth0")[0]),
            "{pool}"
        );
        for container in [&first, &second] {
            container.del().success();
        }
        ground.assert_clean(pool);
    }
}

/// What the configuration or a certain address says has nothing to do with the pool in general.
#[test]
fn the_configurations_vlan_is_no_belief() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    plant(&ground, POOL, "8");
    let container = ground.container("a").with("/vlan", json!(7));
    container.add().success();
    assert_eq!(tag(&ground, &container), json!(7));
    assert_mac_noted(&ground, &container);
    assert_eq!(noted(&ground, POOL), "8");
    container.del().success();
    ground.assert_clean("the configuration's");
}

/// Somebody talks without end in the VLAN that is believed: nothing of it comes to the container,
/// and nothing of the container's there.
#[test]
fn a_wrong_belief_is_mended_before_any_frame_passes() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    ground.create_pool("tagged", TAGGED);
    let talker = ground.container("talker").with("/vlan", json!(8));
    talker.add().success();
    let babble = Babble::start(&talker);
    for n in 0..3 {
        plant(&ground, "tagged", "8");
        let container = ground
            .container(&format!("c{n}"))
            .with("/ipam/pool", json!("tagged"));
        let before = heard(&talker);
        let reply = container.add();
        reply.success();
        assert_eq!(heard(&container), 0, "of VLAN 8");
        assert_eq!(heard(&talker), before, "of VLAN 7");
        assert_eq!(tag(&ground, &container), json!(7));
        assert_mac_noted(&ground, &container);
        container.check(&reply.json).success();
        assert_eq!(
            noted(&ground, "tagged"),
            "",
            "nothing is believed from then on"
        );
        let other = ground
            .container("other")
            .with("/ipam/pool", json!("tagged"));
        other.add().success();
        assert!(other.netns.ping(container.netns.addresses("eth0")[0]));
        other.del().success();
        container.del().success();
    }
    drop(babble);
    talker.del().success();
    ground.assert_clean("a wrong belief");
}

/// The pool has lost its VLAN: the port comes out of the one it was asked for in.
#[test]
fn a_vlan_that_is_believed_wrongly_goes() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    for belief in ["8", "", "rubbish"] {
        plant(&ground, POOL, belief);
        let container = ground.container("a");
        let reply = container.add();
        assert_eq!(tag(&ground, &container), json!(["set", []]), "{belief}");
        let port = port_of(&ground, &container);
        let mode = ground.ovs().column("Port", &port, "vlan_mode");
        assert_eq!(mode, json!(["set", []]), "{belief}");
        container.assert_connected(reply.address());
        container.del().success();
        ground.assert_clean(belief);
    }
}

/// The switch hangs when the port is to be put right.
#[test]
fn a_wrong_belief_without_a_switch_is_11_and_leaves_nothing() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    plant(&ground, POOL, "8");
    ground.ovs().pause_switch();
    let container = ground.container("a");
    let reply = container.add();
    crate::container::assert_names(&reply.failure(), 11, &["ovs-vswitchd"]);
    super::away::assert_bounded(&reply, "ADD");
    assert_eq!(container.netns.links(), [""; 0]);
    ground.ovs().resume_switch();
    container.del().success();
    ground.assert_clean("no switch");
}
