//! The ground the other tests stand on: the LAN, etcd, and the call of a plugin.

use std::net::{IpAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use e2e::etcd::Etcd;
use e2e::lan::{Lan, LanOptions, Node, UPLINK};
use e2e::netns::Netns;
use e2e::ovs::{self, Ovs};
use e2e::plugin::{Call, Plugin};
use e2e::process::Measured;
use e2e::wait;
use serde_json::{Value, json};

fn reference_config(node: &Node) -> Value {
    json!({
        "cniVersion": "1.0.0", "name": "pods", "type": "macvlan", "master": UPLINK,
        "mode": "bridge",
        "ipam": { "type": "host-local", "subnet": "10.20.1.0/24", "gateway": "10.20.1.1",
                  "dataDir": node.file("host-local") },
    })
}

#[test]
fn a_container_of_the_reference_plugin_is_on_the_lan() {
    let lan = Lan::new(&LanOptions::default());
    let node = lan.node("n1");
    let [a, b] = ["a", "b"].map(|name| node.container(name));
    let plugin = Plugin::reference("macvlan");
    let config = reference_config(&node);

    let replies = [&a, &b].map(|container| {
        let call = Call::new("ADD", container.name(), Some(container.path()), &config);
        plugin.call(&node, &call)
    });
    let [first, second] = replies.each_ref().map(|reply| reply.address());
    assert_eq!(a.addresses("eth0"), [first]);
    assert!(
        replies
            .iter()
            .all(|reply| reply.cpu > Duration::ZERO && reply.elapsed > reply.cpu / 4)
    );
    assert!(a.ping(second), "container to container");
    assert!(a.ping(IpAddr::from([10, 20, 1, 1])), "container to gateway");

    lan.unplug(&node);
    assert!(!a.ping(IpAddr::from([10, 20, 1, 1])), "a pulled cable");

    let del = Call::new("DEL", a.name(), Some(a.path()), &config);
    plugin.call(&node, &del).success();
    assert_eq!(a.links(), Vec::<String>::new());
}

#[test]
fn a_refused_call_is_read_as_a_cni_error() {
    let lan = Lan::new(&LanOptions::default());
    let node = lan.node("n1");
    let container = node.container("a");
    let mut config = reference_config(&node);
    config["master"] = json!("missing0");
    let call = Call::new("ADD", "a", Some(container.path()), &config);
    let error = Plugin::reference("macvlan").call(&node, &call).failure();
    assert_eq!((error.code, error.msg.as_str()), (999, "Link not found"));
}

#[test]
fn arp_on_the_lan_is_recorded() {
    let lan = Lan::new(&LanOptions::default());
    let node = lan.node("n1");
    let mut capture = lan.capture_arp();
    node.netns().run(|| {
        // Any ARP will do: the question for a neighbour that is not there.
        let nobody = (node.address().to_bits() + 7).into();
        TcpStream::connect_timeout(&(IpAddr::V4(nobody), 9).into(), Duration::from_millis(50))
            .expect_err("nobody is there");
        wait::until(
            Duration::from_secs(5),
            "the question is seen at the bridge",
            || {
                capture.frames().iter().any(|frame| {
                    frame.operation == 1
                        && frame.sender_ip == node.address()
                        && frame.target_ip == nobody
                })
            },
        );
    });
}

#[test]
fn nodes_on_one_lan_share_a_store_and_etcd_can_be_paused_and_restarted() {
    let lan = Lan::new(&LanOptions::default());
    let [n1, n2] = ["n1", "n2"].map(|name| lan.node(name));
    let mut etcd = Etcd::start_at(lan.netns(), lan.address());
    let put = |node: &Node, key: &str| {
        let etcdctl = e2e::debian::require("etcdctl", "etcd-client");
        let mut command = node.command(etcdctl);
        command
            .env("ETCDCTL_API", "3")
            .args(["--command-timeout", "2s", "--endpoints"]);
        command.args([&etcd.endpoint(), "put", key, "x"]);
        command.output().expect("start etcdctl").status.success()
    };
    assert!(put(&n1, "a") && put(&n2, "b"));
    etcd.pause();
    assert!(!put(&n1, "c"), "a paused etcd answers nothing");
    etcd.resume();
    assert!(put(&n1, "d"));
    etcd.kill();
    etcd.restart();
}

#[test]
fn three_etcd_members_form_a_cluster() {
    let node = Netns::new("n1");
    let members = Etcd::start_cluster_in(&node, 3);
    assert_eq!(members.len(), 3);
}

#[test]
fn a_process_is_measured_with_the_children_it_waited_for() {
    let burn = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
    let mut command = Command::new("sh");
    command.args(["-c", &format!("cat; echo told >&2; sh -c '{burn}'")]);
    let ran = Measured::start(&mut command, b"given")
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(
        (ran.stdout.as_slice(), ran.stderr.as_slice()),
        (&b"given"[..], &b"told\n"[..])
    );
    assert!(ran.cpu > Duration::from_millis(10), "{ran:?}");
}

/// A veth from `container` into the switch, as a port with these settings.
fn plug_in(node: &Node, ovs: &Ovs, container: &Netns, address: &str, port: &[&str]) {
    let end = format!("v{}", container.inode());
    let path = container.path().display().to_string();
    let pair = ["link", "add", &end, "type", "veth", "peer", "name", "eth0"];
    node.netns()
        .ip(&[&pair[..], &["netns", path.as_str()]].concat());
    node.netns().ip(&["link", "set", &end, "up"]);
    container.ip(&["address", "add", address, "dev", "eth0"]);
    container.ip(&["link", "set", "eth0", "up"]);
    ovs.vsctl(&[&["add-port", ovs::BRIDGE, &end][..], port].concat());
}

#[test]
fn a_port_of_open_vswitch_is_on_the_lan_also_after_both_programs_are_started_again() {
    let lan = Lan::new(&LanOptions::default());
    let node = lan.node("n1");
    let ovs = Ovs::start(&node);
    let [a, b] = ["a", "b"].map(|name| node.container(name));
    plug_in(&node, &ovs, &a, "10.20.1.8/24", &[]);
    plug_in(&node, &ovs, &b, "10.20.1.9/24", &["tag=7"]);
    let gateway = IpAddr::from([10, 20, 1, 1]);
    assert!(a.ping(gateway), "container to gateway");
    assert!(!b.ping(IpAddr::from([10, 20, 1, 8])), "another VLAN");
    assert_eq!(ovs.ports().len(), 2);

    ovs.kill_switch();
    ovs.kill_database();
    ovs.start_database();
    ovs.start_switch();
    ovs.settle();
    assert!(a.ping(gateway), "container to gateway, once more");
    let mut own = node.netns().links();
    own.retain(|name| ovs::LINKS.contains(&name.as_str()));
    assert_eq!(own.len(), 2, "the datapath's and the bridge's: {own:?}");
}
