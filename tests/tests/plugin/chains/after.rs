//! One of Debian's plugins behind Berth: what it changes is its own, and CHECK and DEL still work.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use e2e::lan::Node;
use e2e::{debian, process};
use serde_json::{Value, json};

use super::{Chain, drivers};
use crate::container::Container;
use crate::families::{BOTH, addresses, six_gateway};
use crate::ground::{GATEWAY, Ground, Kind};
use crate::host_access::connect;

/// `tuning`, which would else keep its files where the machine has its own.
pub(super) fn tuning(node: &Node) -> Value {
    json!({
        "type": "tuning", "dataDir": node.file("tuning"),
        "mac": "02:00:00:00:00:77", "mtu": 1400,
        "sysctl": {"net.ipv4.conf.eth0.arp_ignore": "1"},
    })
}

/// `portmap`, for the mapping of [`mappings`].
pub(super) fn portmap() -> Value {
    json!({"type": "portmap", "capabilities": {"portMappings": true}})
}

/// Port 8080 of the node is port 80 of the container.
pub(super) fn mappings() -> Value {
    json!({"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]})
}

/// `bandwidth` as a plugin of its own, which needs a link on the node.
pub(super) fn bandwidth() -> Value {
    json!({
        "type": "bandwidth", "ingressRate": 10_000_000, "ingressBurst": 1_000_000,
        "egressRate": 10_000_000, "egressBurst": 1_000_000,
    })
}

/// The chain is added, works, passes CHECK twice, and DEL leaves nothing, repeated as well.
#[track_caller]
fn live(chain: &Chain<'_>, case: &str, look: impl FnOnce(&Container<'_>, IpAddr)) {
    let ground = chain.ground();
    let container = ground.container("a");
    let result = chain.add(&container, "eth0").expect(case);
    let address = ground.held()[0];
    container.assert_connected(address);
    assert!(answers(&container, address), "{case}");
    look(&container, address);
    for _ in 0..2 {
        chain.check(&container, "eth0", &result);
    }
    chain.del(&container, "eth0", Some(&result));
    assert_eq!(container.netns.links(), [""; 0], "{case}");
    ground.assert_clean(case);
    // Not every other plugin's DEL can be repeated.
    container.del().success();
    ground.assert_clean(case);
}

/// Whether the gateway answers that address of the container, whose routes may go by the source.
fn answers(container: &Container<'_>, own: IpAddr) -> bool {
    let ping = debian::require("ping", "iputils-ping");
    let mut ping = container.netns.command(ping);
    ping.args(["-n", "-q", "-c", "1", "-W", "2", "-I", &own.to_string()]);
    ping.arg(GATEWAY.to_string());
    ping.output().is_ok_and(|ran| ran.status.success())
}

fn iptables() -> PathBuf {
    debian::require("iptables", "iptables")
}

/// A folder on `node` with `iptables` and nothing else. Where there is `ip6tables` as well, the
/// CHECK of `portmap` 1.1.1 looks there for the rules of an IPv4 address.
pub(super) fn without_ip6tables(node: &Node) -> String {
    let folder = node.file("iptables-only");
    fs::create_dir_all(&folder).expect("make a folder");
    let link = folder.join("iptables");
    if !link.exists() {
        symlink(iptables(), link).expect("link iptables");
    }
    folder.display().to_string()
}

/// What `iptables -t nat -S` lists of `node`.
fn nat(ground: &Ground) -> String {
    let mut list = ground.node().command(iptables());
    process::output(list.args(["-w", "-t", "nat", "-S"]))
}

#[test]
fn case_39_tuning_may_change_mac_mtu_and_settings() {
    for (driver, ground) in drivers() {
        let chain = Chain::new(&ground, vec![tuning(ground.node())]);
        live(&chain, driver, |container, _| {
            let link = container.netns.link("eth0").expect("eth0");
            assert_eq!(
                (&link["address"], &link["mtu"]),
                (&json!("02:00:00:00:00:77"), &json!(1400)),
                "{driver}"
            );
        });
    }
}

/// `sbr` moves the interface's routes into a table of its own.
#[test]
fn case_39_sbr_may_move_the_routes() {
    for (driver, ground) in drivers() {
        let chain = Chain::new(&ground, vec![json!({"type": "sbr"})]);
        live(&chain, driver, |container, address| {
            let rules = container.netns.ip_json(&["rule"]);
            let from = |rule: &Value| rule["src"] == address.to_string();
            let ours = rules.as_array().into_iter().flatten().find(|r| from(r));
            let table = ours.unwrap_or_else(|| panic!("no rule for {address}: {rules}"));
            let table = table["table"].as_str().expect("a table").to_owned();
            let routes = ["route", "show", "default", "table", &table];
            let routes = container.netns.ip_json(&routes);
            assert_eq!(routes[0]["gateway"], GATEWAY.to_string(), "{driver}");
        });
    }
}

#[test]
fn case_39_sbr_may_move_the_routes_of_both_families() {
    for ground in [
        Ground::new(Kind::Embedded, BOTH),
        Ground::switched(Kind::Embedded, BOTH),
    ] {
        six_gateway(&ground, "fd00:20::1/112");
        let others = vec![json!({"type": "sbr"}), tuning(ground.node())];
        let chain = Chain::new(&ground, others);
        let container = ground.container("a");
        let result = chain.add(&container, "eth0").expect("an ADD");
        container.assert_reached(&addresses(&result));
        chain.check(&container, "eth0", &result);
        chain.del(&container, "eth0", Some(&result));
        assert_eq!(container.netns.links(), [""; 0]);
        ground.assert_clean("both families");
    }
}

#[test]
fn portmap_finds_the_address_and_lets_go_of_it() {
    for (driver, ground) in drivers() {
        let mut chain = Chain::new(&ground, vec![portmap()]);
        chain.runtime = mappings();
        live(&chain, driver, |_, address| {
            let to = format!("--to-destination {address}:80");
            assert!(nat(&ground).contains(&to), "{driver}: {}", nat(&ground));
        });
        assert!(!nat(&ground).contains("8080"), "{driver}: {}", nat(&ground));
    }
}

/// Without `hostAccess` no macvlan hears its node.
#[test]
fn portmap_leads_the_node_to_a_container_with_host_access() {
    let [(_, ground), _] = drivers();
    let mut chain = Chain::new(&ground, vec![portmap()]);
    chain.plugins[0]["hostAccess"] = json!(true);
    chain.runtime = mappings();
    live(&chain, "hostAccess", |container, address| {
        let node = ground.node();
        let [from, at] = [(node.address().into(), 8080), (address, 80)].map(SocketAddr::from);
        let seen = connect(node.netns(), from, &container.netns, at);
        assert_eq!(seen, Ok(node.address().into()));
    });
}

#[test]
fn the_bandwidth_plugin_finds_the_nodes_end_of_a_port() {
    let [_, (driver, ground)] = drivers();
    let chain = Chain::new(&ground, vec![bandwidth()]);
    live(&chain, driver, |container, _| {
        assert_eq!(container.netns.links(), ["eth0"]);
        let mut links = ground.node().netns().links();
        links.retain(|name| name.starts_with("bwp"));
        assert_eq!(links.len(), 1, "its device for what leaves the container");
    });
}

/// It has no link on the node; `bandwidth` of Berth itself is for that.
#[test]
fn a_chain_that_breaks_behind_berth_is_cleaned_up_by_its_dels() {
    let [(_, ground), _] = drivers();
    let others = vec![tuning(ground.node()), bandwidth()];
    let chain = Chain::new(&ground, others);
    let container = ground.container("a");
    let broken = chain
        .add(&container, "eth0")
        .expect_err("no link on the node");
    assert_eq!(broken.kind, "bandwidth", "{broken:?}");
    // A runtime has no result of an ADD that failed.
    chain.del(&container, "eth0", None);
    assert_eq!(container.netns.links(), [""; 0]);
    ground.assert_clean("a broken chain");
}

#[test]
fn all_of_them_behind_one_another() {
    for (driver, ground) in drivers() {
        let mut others = vec![tuning(ground.node()), portmap(), json!({"type": "sbr"})];
        if driver == "ovs" {
            others.insert(0, bandwidth());
        }
        let mut chain = Chain::new(&ground, others);
        chain.runtime = mappings();
        live(&chain, driver, |_, _| ());
    }
}
