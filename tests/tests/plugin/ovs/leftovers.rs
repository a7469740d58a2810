//! Ports and links that bear the name an ADD is about to use: whose they are decides.

use e2e::ovs::BRIDGE;

use super::{lose, port_of};
use crate::ground::{Ground, Kind, WIDE};

/// The name that the port of container `id` had, on ground that is clean again, and what it said.
fn former(ground: &Ground, id: &str) -> (String, Vec<(String, String)>) {
    let container = ground.container(id);
    container.add().success();
    let port = port_of(ground, &container);
    let said = ["owner", "attachment", "incarnation", "container", "ifname"].map(|key| {
        let value = ground.ovs().external_id(&port, key);
        (key.to_owned(), value.expect("it says so"))
    });
    container.del().success();
    ground.assert_clean("a look at the name");
    (port, said.to_vec())
}

/// Makes a port of that name in VLAN 99, whose link does not exist, with these external ids.
fn plant(ground: &Ground, port: &str, said: &[(String, String)]) {
    let ovs = ground.ovs();
    ovs.vsctl(&["--no-wait", "add-port", BRIDGE, port, "tag=99"]);
    for (key, value) in said {
        let pair = format!("external_ids:{key}=\"{value}\"");
        ovs.vsctl(&["--no-wait", "set", "Port", port, &pair]);
    }
}

#[test]
fn case_54_a_port_of_an_earlier_life_is_replaced_and_works() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let (port, said) = former(&ground, "a");
    // Two lives left theirs.
    plant(&ground, &port, &said);
    plant(&ground, "bvother", &said);
    let container = ground.container("a");
    let reply = container.add();
    reply.success();
    let own = port_of(&ground, &container);
    assert_ne!(own, port, "a life has a name of its own");
    assert_eq!(ground.ovs().ports(), [own]);
    container.assert_connected(reply.address());
    container.del().success();
    ground.assert_clean("leftovers replaced");
}

#[test]
fn case_54_del_removes_what_earlier_lives_left() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let (port, said) = former(&ground, "a");
    for added in [false, true] {
        let container = ground.container("a");
        if added {
            container.add().success();
        }
        plant(&ground, &port, &said);
        container.del().success();
        ground.assert_clean("what earlier lives left");
    }
}

#[test]
fn case_54_somebody_elses_port_is_never_touched() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let (port, said) = former(&ground, "a");
    let without = |key: &str| {
        let kept = said.iter().filter(|(known, _)| known != key);
        kept.cloned().collect::<Vec<_>>()
    };
    for said in [vec![], without("owner"), without("attachment")] {
        plant(&ground, &port, &said);
        let before = ground.ovs().column("Port", &port, "_uuid");
        let container = ground.container("a");
        let address = container.add().address();
        container.assert_connected(address);
        assert_eq!(ground.ovs().ports().len(), 2, "{said:?}");
        container.del().success();
        // Once more, without any file.
        container.del().success();
        assert_eq!(ground.ovs().ports(), std::slice::from_ref(&port));
        let after = ground.ovs().column("Port", &port, "_uuid");
        assert_eq!(after, before, "{said:?}");
        ground.ovs().vsctl(&["--no-wait", "del-port", &port]);
        ground.assert_clean("somebody else's port");
    }
}

#[test]
fn case_56_somebody_elses_link_of_such_a_name_is_never_touched() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let (port, _) = former(&ground, "a");
    let node = ground.node().netns();
    node.ip(&["link", "add", &port, "type", "bridge"]);
    let index = node.link(&port).expect("the link")["ifindex"].clone();
    let container = ground.container("a");
    container.add().success();
    for _ in 0..2 {
        container.del().success();
        let now = node.link(&port).expect("it is still there");
        assert_eq!(now["ifindex"], index);
    }
    node.ip(&["link", "del", &port]);
    ground.assert_clean("somebody else's link");
}

/// A veth of which neither file nor record is left, in a namespace whose path nobody knows.
#[test]
fn a_veth_without_any_file_is_found_by_its_name() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let container = ground.container("a");
    container.add().success();
    let port = port_of(&ground, &container);
    lose(&ground, "run");
    ground.ovs().hide_database();
    let call = e2e::plugin::Call {
        netns: None,
        ..container.call_of("DEL")
    };
    container.answer(&call).success();
    assert!(ground.node().netns().link(&port).is_none());
    assert_eq!(container.netns.links(), [""; 0]);
    ground.ovs().show_database();
    container.del().success();
    ground.assert_clean("no file");
}

#[test]
fn the_ports_of_two_containers_have_nothing_to_do_with_each_other() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let first = ground.container("a");
    first.add().success();
    let second = ground.container("b");
    let address = second.add().address();
    assert_eq!(ground.ovs().ports().len(), 2);
    assert_ne!(port_of(&ground, &first), port_of(&ground, &second));
    second.assert_connected(address);
    first.del().success();
    second.assert_connected(address);
    second.del().success();
    ground.assert_clean("two containers");
}
