//! `berth-ipam` called as a main plugin calls it.

use std::fs;

use e2e::plugin::Call;
use serde_json::json;

use super::{alone, container};
use crate::container::{Container, assert_names};
use crate::families::{BOTH, addresses};
use crate::ground::{Ground, Kind, NARROW, NOTHING, ip, set, waiting};
use crate::records;

#[test]
fn case_35_a_result_has_addresses_routes_and_name_servers_and_no_interface() {
    let ground = alone(Kind::Embedded, BOTH);
    let dns = json!({"nameservers": ["10.0.0.53"], "search": ["example.org"]});
    let container = container(&ground, "a").with("/dns", dns.clone());
    // `answer` checks that there is no interface anywhere.
    let reply = container.add();
    let given = addresses(reply.success());
    assert_eq!(ground.held(), given);
    assert_eq!(reply.json["dns"], dns);
    assert_eq!(reply.json["ips"][0]["gateway"], "10.20.1.1");
    assert_eq!(reply.json["ips"][1]["gateway"], "fd00:20::1");
    assert_eq!(
        reply.json["routes"][0],
        json!({"dst": "0.0.0.0/0", "gw": "10.20.1.1"})
    );
    assert_eq!(
        reply.json["routes"][1],
        json!({"dst": "::/0", "gw": "fd00:20::1"})
    );
    container.del().success();
    ground.assert_clean("a result");
}

fn repeated(kind: Kind) {
    let ground = alone(kind, NARROW);
    let first = container(&ground, "a");
    let address = first.add().address();
    for _ in 0..2 {
        assert_eq!(first.add().address(), address);
        assert_eq!(ground.held(), [address]);
    }
    // The same id in a namespace of its own: a container that is started anew.
    let second = container(&ground, "a");
    assert_eq!(second.add().address(), address);
    assert_eq!(ground.held(), [address]);
    second.del().success();
    ground.assert_clean("repeated");
}

#[test]
fn case_20_a_repeated_add_gives_the_same_address_embedded() {
    repeated(Kind::Embedded);
}

#[test]
fn case_20_a_repeated_add_gives_the_same_address_etcd() {
    repeated(Kind::Etcd);
}

#[test]
fn case_23_to_28_a_del_needs_neither_namespace_nor_record_nor_an_earlier_add() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = alone(kind, NARROW);
        container(&ground, "never-added").del().success();
        let container = container(&ground, "a");
        let without = |container: &Container<'_>| {
            let call = Call {
                netns: None,
                ..container.call_of("DEL")
            };
            container.answer(&call).success();
        };
        container.add().success();
        container.del().success();
        without(&container);
        ground.assert_clean("deleted twice");

        container.add().success();
        without(&container);
        ground.assert_clean("deleted without a namespace");

        container.add().success();
        fs::remove_dir_all(ground.node().file("run")).expect("lose runDir");
        container.del().success();
        ground.assert_clean("deleted without a record");
    }
}

#[test]
fn case_24_a_late_del_touches_nothing_of_the_next_holder() {
    let ground = alone(Kind::Embedded, NARROW);
    let asking = |id| container(&ground, id).with("/runtimeConfig", json!({"ips": ["10.20.1.9"]}));
    let [first, second] = ["a", "b"].map(asking);
    first.add().success();
    first.del().success();
    second.add().success();
    first.del().success();
    assert_eq!(
        ground.holder(ip("10.20.1.9")).as_deref(),
        Some("n1/pods/b/eth0")
    );
}

#[test]
fn case_29_a_del_with_the_store_away_succeeds_and_is_made_later_etcd() {
    let ground = alone(Kind::Etcd, NARROW);
    let [first, second] = ["a", "b"].map(|id| container(&ground, id));
    first.add().success();
    let away = ground.cut_off();
    first.del().success();
    assert_names(&second.add().failure(), 11, &[]);
    drop(away);
    assert_eq!(waiting(ground.node()).len(), 1);
    second.add().success();
    second.del().success();
    assert_eq!(waiting(ground.node()), [""; 0]);
    ground.assert_clean("a release that waited");
}

#[test]
fn an_add_that_cannot_be_served_holds_nothing() {
    let ground = alone(Kind::Embedded, NARROW);
    let refused = |container: Container<'_>, code, names: &[&str]| {
        assert_names(&container.add().failure(), code, names);
        ground.assert_clean(&format!("{names:?}"));
    };
    let with = |pointer, value| container(&ground, "a").with(pointer, value);
    refused(with("/ipam/pool", json!("nowhere")), 7, &["nowhere"]);
    refused(with("/ipam/pool", json!(null)), 7, &["ipam.pool"]);
    refused(
        with("/ipam/subnet", json!("10.0.0.0/8")),
        2,
        &["ipam.subnet"],
    );
    refused(with("/ipam/type", json!("host-local")), 7, &["ipam.type"]);
    let asked = json!({"ips": ["10.99.0.1"]});
    refused(with("/runtimeConfig", asked), 105, &["10.99.0.1"]);
    let gone = container(&ground, "gone");
    let nowhere = ground.node().file("no-namespace");
    let call = Call {
        netns: Some(&nowhere),
        ..gone.call_of("ADD")
    };
    assert_names(&gone.answer(&call).failure(), 3, &["no-namespace"]);
    ground.assert_clean("case 18");
    let own = ground.node().netns().path();
    let call = Call {
        netns: Some(own),
        ..gone.call_of("ADD")
    };
    assert_names(&gone.answer(&call).failure(), 8, &[]);
    ground.assert_clean("case 19");
}

#[test]
fn check_compares_with_the_store_and_needs_the_result() {
    let ground = alone(Kind::Embedded, NARROW);
    let container = container(&ground, "a");
    let reply = container.add();
    container.check(reply.success()).success();
    let error = container.answer(&container.call_of("CHECK")).failure();
    assert_names(&error, 7, &["prevResult"]);
    let address = reply.address();
    records::change_address(&ground, address, |record| {
        let holder = record.holder.as_mut().expect("a holder");
        holder.attachment = "n9/pods/z/eth0".parse().expect("an attachment");
    });
    let error = container.check(&reply.json).failure();
    assert_names(&error, 102, &[&address.to_string(), "n9/pods/z/eth0"]);
    records::change_address(&ground, address, |record| record.holder = None);
    let error = container.check(&reply.json).failure();
    assert_names(&error, 999, &[&address.to_string()]);
}

#[test]
fn status_and_version_need_no_master() {
    let ground = alone(Kind::Embedded, NARROW);
    let mut config = container(&ground, "a").config;
    set(&mut config, "/cniVersion", json!("1.1.0"));
    set(&mut config, "/master", json!("bond7"));
    assert_eq!(ground.status(&config).success(), &json!(null));
    let call = Call::new("VERSION", "", None, &json!({"cniVersion": "1.0.0"}));
    let reply = ground.plugin.call(ground.node(), &call);
    assert_eq!(
        reply.success()["supportedVersions"],
        json!(["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
    );
}

/// The main plugin removes the interface after it has called DEL here.
#[test]
fn an_interface_that_still_bears_the_address_is_taken_down_before_the_address_is_free() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = alone(kind, NARROW);
        let container = container(&ground, "a");
        let made = |words: &str| {
            let words: Vec<_> = words.split(' ').collect();
            container.netns.ip(&words);
        };
        made("link add eth0 address 02:00:00:00:00:17 type bridge");
        let address = container.add().address();
        made(&format!("address add {address}/28 dev eth0"));
        made("link set eth0 up");
        let (_, record) = records::addresses(&ground).remove(0);
        let holder = record.holder.expect("a holder");
        assert_eq!(
            holder.mac.to_string(),
            "02:00:00:00:00:17",
            "as it was seen"
        );
        container.del().success();
        assert_eq!(ground.held(), NOTHING);
        let flags = container
            .netns
            .link("eth0")
            .expect("the main plugin's link")["flags"]
            .clone();
        assert!(!flags.to_string().contains("\"UP\""), "{flags}");
    }
}

/// A record that outlived its release, and a namespace like the one it tells of.
#[test]
fn an_interface_whose_address_is_anothers_by_now_is_left_alone() {
    let ground = alone(Kind::Embedded, NARROW);
    let asking = |id| container(&ground, id).with("/runtimeConfig", json!({"ips": ["10.20.1.9"]}));
    let first = asking("a");
    first.netns.ip(&["link", "add", "eth0", "type", "bridge"]);
    first.add().success();
    let record = ground.node().file("run/ipam/attachments/a-eth0.json");
    let stale = fs::read(&record).expect("a record");
    first.del().success();
    let second = asking("b");
    second.add().success();
    // The next holder is in the same namespace, under the same name.
    first
        .netns
        .ip(&["address", "add", "10.20.1.9/28", "dev", "eth0"]);
    first.netns.ip(&["link", "set", "eth0", "up"]);
    fs::write(record, stale).expect("put the record back");
    first.del().success();
    let flags = first.netns.link("eth0").expect("a link")["flags"].to_string();
    assert!(flags.contains("\"UP\""), "{flags}");
    assert_eq!(
        ground.holder(ip("10.20.1.9")).as_deref(),
        Some("n1/pods/b/eth0")
    );
}

#[test]
fn sixteen_at_once_get_sixteen_addresses() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = alone(kind, &["--subnet", "10.20.1.0/24"]);
        let containers: Vec<_> = (0..16)
            .map(|n| container(&ground, &format!("c{n}")))
            .collect();
        let calls: Vec<_> = containers.iter().map(|c| c.start("ADD")).collect();
        let mut given: Vec<_> = calls
            .into_iter()
            .map(|call| call.finish().address())
            .collect();
        given.sort();
        given.dedup();
        assert_eq!(given.len(), 16);
        assert_eq!(ground.held(), given);
        let calls: Vec<_> = containers.iter().map(|c| c.start("DEL")).collect();
        for call in calls {
            call.finish().success();
        }
        ground.assert_clean("sixteen at once");
    }
}

#[test]
fn a_sticky_pod_takes_over_only_from_a_namespace_that_is_gone() {
    let ground = alone(Kind::Embedded, NARROW);
    let sandbox = |id: &str| {
        let container = container(&ground, id).of_pod("web-0", "u1");
        container.annotated("berth.dev/sticky", "true")
    };
    let [old, new] = ["old", "new"].map(sandbox);
    let address = old.add().address();
    let error = new.add().failure();
    assert_names(&error, 11, &[&address.to_string(), "n1/pods/old/eth0"]);
    assert_eq!(ground.held(), [address]);
    let Container { netns, .. } = old;
    drop(netns);
    assert_eq!(new.add().address(), address);
    let call = Call::new("DEL", "old", None, &new.config);
    ground.plugin.call(ground.node(), &call).success();
    assert_eq!(ground.held(), [address]);
    new.del().success();
    ground.assert_clean("a sticky pod");
}

/// The ground's records are `berth`'s own when it is `berth` that is called.
#[test]
fn both_plugins_of_one_node_keep_apart() {
    let mut ground = Ground::new(Kind::Embedded, NARROW);
    let main = ground.container("a");
    let address = main.add().address();
    drop(main);
    ground.plugin = alone(Kind::Embedded, NARROW).plugin;
    let other = container(&ground, "b");
    let second = other.add().address();
    assert_ne!(address, second);
    // A DEL of the other plugin for a container that it knows nothing of: another network's.
    container(&ground, "b")
        .with("/name", json!("elsewhere"))
        .del()
        .success();
    assert_eq!(ground.held().len(), 2);
}
