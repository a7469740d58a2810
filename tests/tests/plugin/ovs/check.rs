//! CHECK: the port, its tag and its link.

use serde_json::json;

use super::port_of;
use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE};

/// Does something to the port of that name.
type Change<'a> = &'a dyn Fn(&str);

#[test]
fn what_is_missing_of_a_port_fails_check() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let ovs = ground.ovs();
    let node = ground.node().netns();
    let cases: [(&str, Change<'_>, &str); 5] = [
        (
            "no port",
            &|port| drop(ovs.vsctl(&["del-port", port])),
            "port",
        ),
        (
            "another VLAN",
            &|port| drop(ovs.vsctl(&["set", "Port", port, "tag=9"])),
            "VLAN 9",
        ),
        (
            "no VLAN",
            &|port| drop(ovs.vsctl(&["clear", "Port", port, "tag"])),
            "port",
        ),
        (
            "somebody else's",
            &|port| drop(ovs.vsctl(&["clear", "Port", port, "external_ids"])),
            "port",
        ),
        (
            "the node's end is down",
            &|port| node.ip(&["link", "set", port, "down"]),
            "",
        ),
    ];
    for (case, change, named) in cases {
        let container = ground.container("a").with("/vlan", json!(7));
        let result = container.add().success().clone();
        let port = port_of(&ground, &container);
        container.check(&result).success();
        change(&port);
        let error = container.check(&result).failure();
        assert_names(&error, 999, &["eth0", named]);
        if case == "somebody else's" {
            // Its name is ours, its owner is not: it is not ours to remove.
            container.del().success();
            ovs.vsctl(&["del-port", &port]);
        }
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0], "{case}");
        ground.assert_clean(case);
    }
}

#[test]
fn check_passes_after_others_changed_what_is_theirs() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let result = container.add().success().clone();
    let port = port_of(&ground, &container);
    let ovs = ground.ovs();
    for change in [
        &["set", "Interface", &port, "ingress_policing_rate=100000"][..],
        &["set", "Port", &port, "external_ids:others=1"],
        &["set", "Interface", &port, "external_ids:others=1"],
    ] {
        ovs.vsctl(change);
        container.check(&result).success();
    }
    container.del().success();
    ground.assert_clean("what others set goes with the port");
}

/// The container works all the same: the switch goes on by itself.
#[test]
fn case_40_check_passes_on_local_evidence_with_the_database_away() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let result = container.add().success().clone();
    ground.ovs().kill_database();
    let reply = container.check(&result);
    reply.success();
    assert!(reply.stderr.contains("warning"), "{}", reply.stderr);
    container.netns.ip(&["link", "set", "eth0", "down"]);
    assert_eq!(container.check(&result).failure().code, 999);
    ground.ovs().start_database();
    container.del().success();
    ground.assert_clean("after the database came back");
}
