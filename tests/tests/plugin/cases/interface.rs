//! Namespaces and links: cases 6, 18, 19, 50, 56 to 59 and 78.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use e2e::lan::{Lan, LanOptions, UPLINK};
use e2e::plugin::Call;
use serde_json::json;

use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE, ip};

#[test]
fn case_06_an_interface_that_exists_is_left_alone_and_nothing_reserved() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    container
        .netns
        .ip(&["link", "add", "eth0", "type", "bridge"]);
    let error = container.add().failure();
    assert_names(&error, 4, &["CNI_IFNAME", "eth0"]);
    assert_eq!(container.netns.links(), ["eth0"]);
    ground.assert_clean("an interface that exists");
    container.del().success();
    assert_eq!(
        container.netns.links(),
        ["eth0"],
        "DEL leaves what is not ours"
    );
}

#[test]
fn case_18_a_namespace_that_is_not_there_reserves_nothing() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let file = ground.node().file("no-namespace");
    fs::write(&file, "").expect("write a file");
    for (path, code) in [
        (Path::new("/nonexistent/netns"), 3),
        (Path::new("relative"), 3),
        (file.as_path(), 8),
        (Path::new("/proc/self/ns/uts"), 8),
        (Path::new("/"), 8),
    ] {
        let call = Call {
            netns: Some(path),
            ..container.call_of("ADD")
        };
        let error = container.answer(&call).failure();
        assert_names(&error, code, &["CNI_NETNS", &path.display().to_string()]);
        ground.assert_clean(&format!("{}", path.display()));
    }
}

#[test]
fn case_19_and_78_the_nodes_own_namespace_is_refused() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    for path in [ground.node().netns().path(), Path::new("/proc/self/ns/net")] {
        for verb in ["ADD", "CHECK"] {
            let mut config = container.config.clone();
            if verb == "CHECK" {
                config["prevResult"] = json!({"cniVersion": "1.1.0", "interfaces": [], "ips": []});
            }
            let stdin = config.to_string().into_bytes();
            let call = Call {
                netns: Some(path),
                stdin,
                ..container.call_of(verb)
            };
            assert_names(&container.answer(&call).failure(), 8, &["CNI_NETNS", "own"]);
        }
        // DEL has nothing to remove there, least of all the node's own link.
        let call = Call {
            netns: Some(path),
            ifname: UPLINK,
            ..container.call_of("DEL")
        };
        container.answer(&call).success();
        ground.assert_clean(&format!("{}", path.display()));
    }
}

#[test]
fn case_50_an_add_without_its_master_says_so() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let missing = ground.container("a").with("/master", json!("bond7"));
    missing.refused(7, &["master", "bond7"]);
    let several = ground
        .container("a")
        .with("/master", json!(["bond7", UPLINK]));
    several.add().success();
    several.del().success();
    ground.node().netns().ip(&["link", "set", UPLINK, "down"]);
    ground
        .container("a")
        .refused(11, &["master", UPLINK, "down"]);
}

#[test]
fn case_56_links_are_made_in_the_container_under_their_own_name() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    // A name that is taken on the node: nothing of the container's is ever made there.
    let call = Call {
        ifname: UPLINK,
        ..container.call_of("ADD")
    };
    let address = container.answer(&call).address();
    assert_eq!(container.netns.addresses(UPLINK), [address]);
    assert!(ground.lan.netns().ping(address));
    let call = Call {
        ifname: UPLINK,
        ..container.call_of("DEL")
    };
    container.answer(&call).success();
    assert_eq!(container.netns.links(), [""; 0]);
    ground.assert_clean("a name that the node uses");
}

/// The kernel marks a listing as interrupted when it changes meanwhile; that it is read again is
/// tested where netlink is spoken. Here addresses come and go while CHECK lists them.
#[test]
fn case_57_a_listing_that_changes_meanwhile_is_no_failure() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let result = container.add().success().clone();
    let (done, netns) = (AtomicBool::new(false), &container.netns);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                netns.ip(&["address", "add", "10.99.0.1/32", "dev", "lo"]);
                netns.ip(&["address", "del", "10.99.0.1/32", "dev", "lo"]);
            }
        });
        for _ in 0..20 {
            container.check(&result).success();
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// A LAN and a pool of IPv6.
fn ipv6() -> Ground {
    let (subnet, gateway) = ("2001:db8:20::/64", "2001:db8:20::1");
    let options = LanOptions {
        subnet: subnet.into(),
        gateway: ip(gateway),
        mtu: 1500,
    };
    let pool = ["--subnet", subnet, "--gateway", gateway];
    Ground::on(Lan::new(&options), Kind::Embedded, &pool, 1)
}

#[test]
fn case_58_ipv6_is_switched_on_where_the_runtime_switched_it_off() {
    let ground = ipv6();
    let container = ground.container("a");
    container.netns.run(|| {
        for link in ["all", "default", "lo"] {
            let path = format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6");
            fs::write(path, "1").expect("switch IPv6 off");
        }
    });
    let address = container.add().address();
    container.assert_connected(address);
    container.del().success();
    ground.assert_clean("IPv6");
}

#[test]
fn case_59_an_ipv6_address_is_usable_at_once() {
    let ground = ipv6();
    let container = ground.container("a");
    let address = container.add().address();
    let link = container.netns.link("eth0").expect("a link");
    let flags = link["addr_info"].as_array().expect("addresses");
    let ours = flags
        .iter()
        .find(|info| info["local"] == json!(address))
        .expect("our address");
    assert!(
        ours.get("tentative").is_none() && ours.get("dadfailed").is_none(),
        "{ours}"
    );
    assert_eq!(ours["nodad"], true, "{ours}");
    container.assert_connected(address);
}
