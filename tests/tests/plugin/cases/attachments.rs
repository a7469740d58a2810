//! ADDs repeated, retried and failed: cases 20, 22, 31 and 33.

use e2e::plugin::Call;
use serde_json::json;

use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE};
use crate::records;

fn repeated(kind: Kind) {
    let ground = Ground::new(kind, WIDE);
    let container = ground.container("a");
    let first = container.add();
    let link = container.netns.link("eth0");
    for version in ["1.1.0", "1.0.0", "0.3.1"] {
        let mut config = container.config.clone();
        config["cniVersion"] = json!(version);
        let call = Call {
            stdin: config.to_string().into_bytes(),
            ..container.call_of("ADD")
        };
        let again = container.answer(&call);
        assert_eq!(
            again.success()["ips"][0]["address"],
            first.success()["ips"][0]["address"]
        );
        assert_eq!(again.json["cniVersion"], version);
    }
    assert_eq!(container.add().json, first.json);
    assert_eq!(
        container.netns.link("eth0"),
        link,
        "it is the very same link"
    );
    assert_eq!(ground.held(), [first.address()]);
    container.assert_connected(first.address());
    container.del().success();
    ground.assert_clean("after repeated ADDs");
}

#[test]
fn case_20_a_repeated_add_gives_the_same_result_and_no_second_address_embedded() {
    repeated(Kind::Embedded);
}

#[test]
fn case_20_a_repeated_add_gives_the_same_result_and_no_second_address_etcd() {
    repeated(Kind::Etcd);
}

#[test]
fn case_20_a_repeated_add_mends_an_interface_that_was_damaged() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let address = container.add().address();
    for damage in [
        &["link", "del", "eth0"][..],
        &["link", "set", "eth0", "down"],
        &["address", "flush", "dev", "eth0"],
    ] {
        container.netns.ip(damage);
        assert_eq!(container.add().address(), address, "{damage:?}");
        container.assert_connected(address);
        assert_eq!(ground.held(), [address], "{damage:?}");
    }
}

#[test]
fn case_20_an_add_that_asks_for_another_address_is_no_repetition() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let first = container.add().address();
    let container = container.with("/runtimeConfig", json!({"ips": [first.to_string()]}));
    assert_eq!(container.add().address(), first);
    let container = container.with("/runtimeConfig", json!({"ips": ["10.20.1.200"]}));
    let error = container.add().failure();
    assert_names(&error, 7, &["10.20.1.200", &first.to_string()]);
    assert_eq!(ground.held(), [first]);
    container.assert_connected(first);
    container.del().success();
    ground.assert_clean("after an ADD for another address");
}

#[test]
fn case_22_a_new_sandbox_of_the_same_pod_gets_an_address_of_its_own() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let pod = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u1";
    let [old, new] = ["sandbox-1", "sandbox-2"].map(|id| ground.container(id));
    let first = old.add_with_args(pod).address();
    let second = new.add_with_args(pod).address();
    assert_ne!(first, second);
    assert_eq!(ground.held().len(), 2, "the old sandbox still has its own");
    old.del().success();
    assert_eq!(ground.held(), [second]);
    new.assert_connected(second);
}

#[test]
fn case_33_an_add_that_fails_late_needs_no_del() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        ground.create_torn_pool();
        ground.create_pool("unroutable", &["--subnet", "10.22.0.0/24"]);
        // A next hop that cannot be reached: the kernel refuses the route, after the address is on.
        records::change_pool(&ground, "unroutable", |pool| {
            let route = json!({"dst": "10.99.0.0/16", "gw": "10.98.0.1"});
            let route: berth_types::Route = serde_json::from_value(route).expect("a route");
            pool.subnets
                .iter_mut()
                .for_each(|subnet| subnet.routes = vec![route.clone()]);
        });
        let container = ground.container("a").with("/ipam/pool", json!("torn"));
        container.refused(7, &["vlan", "7", "8"]);
        let container = ground
            .container("b")
            .with("/ipam/pool", json!("unroutable"));
        let error = container.add().failure();
        assert!(error.msg.contains("10.99.0.0/16"), "{error:?}");
        assert_eq!(container.netns.links(), [""; 0]);
        ground.assert_clean("a route that cannot be set");
    }
}

fn changed_configuration(kind: Kind) {
    let ground = Ground::new(kind, WIDE);
    ground.create_pool("other", &["--subnet", "10.21.0.0/24"]);
    let changes = [
        ("/ipam/pool", json!("other")),
        ("/ipam/pool", json!("nowhere")),
        ("/ipam/pool", json!(null)),
        ("/master", json!("bond7")),
        ("/mode", json!("private")),
        ("/mtu", json!(9000)),
        ("/cniVersion", json!("0.3.1")),
    ];
    for (n, (pointer, value)) in changes.into_iter().enumerate() {
        let case = format!("{pointer} {value}");
        let container = ground.container(&format!("c{n}"));
        container.add().success();
        let container = container.with(pointer, value);
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0], "{case}");
        ground.assert_clean(&case);
    }
}

/// An operator renames the network while its containers run. While the interface stands it is
/// another network's; once its namespace is gone, the next DEL releases.
#[test]
fn case_31_del_after_the_network_was_renamed_releases_with_the_namespace() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let address = container.add().address();
    let container = container.with("/name", json!("renamed"));
    container.del().success();
    assert_eq!(ground.held(), [address]);
    let call = Call::new("DEL", "a", None, &container.config);
    let reply = |call: &Call<'_>| ground.plugin.call(ground.node(), call);
    drop(container.netns);
    reply(&call).success();
    ground.assert_clean("a renamed network");
}

#[test]
fn case_31_del_after_the_configuration_changed_releases_what_was_given_embedded() {
    changed_configuration(Kind::Embedded);
}

#[test]
fn case_31_del_after_the_configuration_changed_releases_what_was_given_etcd() {
    changed_configuration(Kind::Etcd);
}

#[test]
fn case_31_del_works_while_the_pool_is_being_given_up() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    container.add().success();
    records::change_pool(&ground, "prod", |pool| {
        pool.state = berth_types::PoolState::Draining;
    });
    let error = ground.container("b").add().failure();
    assert_names(&error, 106, &["prod", "draining"]);
    container.del().success();
    ground.assert_clean("a draining pool");
}
