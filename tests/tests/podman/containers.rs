//! The life of one container.

use e2e::podman::Podman;
use e2e::site::Site;

use crate::address;

#[test]
fn a_container_has_the_address_that_the_store_says_it_has() {
    let site = Site::with_embedded_store();
    let podman = Podman::new(site.enclosure());

    podman.run("web").expect("run a container");

    let address = address(&site, &podman, "web");
    let shown = podman.output(&["exec", "web", "/bin/ip", "address", "show", "eth0"]);
    assert!(
        shown.contains(&format!("inet {address}/24")),
        "the container's interface: {shown}"
    );
    podman.output(&[
        "exec",
        "web",
        "/bin/ping",
        "-c",
        "1",
        "-W",
        "2",
        "10.20.1.1",
    ]);
    let (holder, id) = (site.holder(address), podman.id("web"));
    assert!(
        holder.to_string().contains(&id),
        "{address} is held by {holder}, not by {id}"
    );
}

#[test]
fn a_stopped_container_gives_its_address_back() {
    let site = Site::with_embedded_store();
    let podman = Podman::new(site.enclosure());
    podman.run("web").expect("run a container");
    let address = address(&site, &podman, "web");

    podman.output(&["stop", "web"]);

    assert!(site.holder(address).is_null(), "{address} is still held");
    assert_eq!(site.local_records(), [""; 0]);
    podman.output(&["rm", "web"]);
    assert_eq!(site.enclosure().network_namespaces(), [""; 0]);
}

#[test]
fn a_container_removed_by_force_leaves_nothing() {
    let site = Site::with_embedded_store();
    let podman = Podman::new(site.enclosure());
    podman.run("web").expect("run a container");
    let address = address(&site, &podman, "web");

    podman.output(&["rm", "--force", "--time", "0", "web"]);

    assert!(site.holder(address).is_null(), "{address} is still held");
    assert_eq!(site.local_records(), [""; 0]);
    assert_eq!(site.enclosure().network_namespaces(), [""; 0]);
    assert_eq!(site.links(), [""; 0]);
}
