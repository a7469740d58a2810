//! The driver `ovs`: containers behind a bridge.

use e2e::podman::Podman;
use e2e::site::Site;

use crate::address;

#[test]
fn containers_behind_the_bridge_reach_each_other_and_leave_nothing() {
    let site = Site::switched();
    let podman = Podman::new(site.enclosure());
    let containers = ["web", "db"].map(|name| {
        podman.run(name).expect("run a container");
        (name, address(&site, &podman, name))
    });
    let [(_, _), (_, db)] = containers;
    let ping = ["exec", "web", "/bin/ping", "-c", "1", "-W", "2"];
    podman.output(&[&ping[..], &[&db.to_string()]].concat());
    assert_eq!(site.ovs().ports().len(), 2);
    for (name, address) in containers {
        let (holder, id) = (site.holder(address), podman.id(name));
        let holds = holder.to_string().contains(&id);
        assert!(holds, "{address} is held by {holder}, not by {id}");
    }

    podman.output(&["stop", "web"]);
    assert_eq!(site.ovs().ports().len(), 1, "that of the other");
    podman.output(&["rm", "--force", "--time", "0", "db"]);

    for (_, address) in containers {
        assert!(site.holder(address).is_null(), "{address} is still held");
    }
    assert_eq!(site.local_records(), [""; 0]);
    assert_eq!(site.links(), [""; 0]);
    podman.output(&["rm", "web"]);
    assert_eq!(site.enclosure().network_namespaces(), [""; 0]);
}

#[test]
fn a_container_started_again_has_one_port_and_works() {
    let site = Site::switched();
    let podman = Podman::new(site.enclosure());
    podman.run("web").expect("run a container");
    address(&site, &podman, "web");
    for _ in 0..2 {
        podman.output(&["stop", "web"]);
        assert_eq!(site.links(), [""; 0]);
        podman.output(&["start", "web"]);
        address(&site, &podman, "web");
        assert_eq!(site.ovs().ports().len(), 1);
    }
    podman.output(&["rm", "--force", "--time", "0", "web"]);
    assert_eq!(site.links(), [""; 0]);
}
