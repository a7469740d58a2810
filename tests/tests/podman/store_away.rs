//! A container stopped while the store is away, and started again under its old id: the release
//! that was journalled meanwhile must not take the address that it has again.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;

use e2e::podman::Podman;
use e2e::site::Site;

use crate::address;

#[test]
fn a_container_restarted_while_the_journal_drains_keeps_its_address() {
    let site = Site::with_etcd();
    let podman = Podman::new(site.enclosure());
    podman.run("web").expect("run a container");
    let before = address(&site, &podman, "web");

    site.etcd().kill();
    stop(&site, &podman, "web");
    site.etcd().restart();
    podman.output(&["start", "web"]);

    assert_eq!(address(&site, &podman, "web"), before, "the address it had");
    assert_held_by(&site, before, &podman.id("web"));
    drain(&podman);
    assert_held_by(&site, before, &podman.id("web"));
    assert_eq!(address(&site, &podman, "web"), before, "the address it has");
}

/// A hung store may carry out at last what its client has given up, so whether the container
/// finds its old address free again is open; that it keeps the one it gets is not.
#[test]
fn no_address_is_taken_from_its_container_when_a_hung_store_goes_on() {
    let site = Site::with_etcd();
    let podman = Podman::new(site.enclosure());
    podman.run("web").expect("run a container");
    let before = address(&site, &podman, "web");

    site.etcd().pause();
    stop(&site, &podman, "web");
    site.etcd().resume();
    thread::scope(|scope| {
        for name in ["other-0", "other-1"] {
            let podman = &podman;
            scope.spawn(move || podman.run(name).expect("run another container"));
        }
        scope.spawn(|| podman.output(&["start", "web"]));
    });

    let all = ["web", "other-0", "other-1"].map(|name| (name, address(&site, &podman, name)));
    assert_each_holds_its_own(&site, &podman, &all);
    drain(&podman);
    assert_each_holds_its_own(&site, &podman, &all);
    let in_use = all.iter().any(|(_, address)| *address == before);
    assert!(
        in_use || site.holder(before).is_null(),
        "{before} is held for nobody"
    );
}

#[test]
fn a_stop_without_the_store_is_made_good_by_the_next_call() {
    let site = Site::with_etcd();
    let podman = Podman::new(site.enclosure());
    podman.run("web").expect("run a container");
    let before = address(&site, &podman, "web");
    site.etcd().kill();
    stop(&site, &podman, "web");
    site.etcd().restart();
    assert!(
        !site.holder(before).is_null(),
        "nothing was written while the store was away"
    );

    podman.run("other").expect("run another container");

    let other = address(&site, &podman, "other");
    assert!(
        other == before || site.holder(before).is_null(),
        "{before} is still held"
    );
}

#[test]
fn a_start_that_failed_without_the_store_leaves_nothing_and_can_be_tried_again() {
    let site = Site::with_etcd();
    let podman = Podman::new(site.enclosure());
    podman.run("web").expect("run a container");
    let before = address(&site, &podman, "web");
    podman.output(&["stop", "web"]);

    site.etcd().kill();
    let error = podman
        .call(&["start", "web"])
        .expect_err("nobody gives an address");
    assert!(error.contains(&site.etcd().endpoint()), "{error}");
    assert_eq!(site.local_records(), [""; 0]);
    assert_eq!(site.enclosure().network_namespaces(), [""; 0]);
    site.etcd().restart();
    podman.output(&["start", "web"]);

    let after = address(&site, &podman, "web");
    assert_each_holds_its_own(&site, &podman, &[("web", after)]);
    assert!(
        after == before || site.holder(before).is_null(),
        "{before} is still held"
    );
}

/// Stops the container while the store is away.
#[track_caller]
fn stop(site: &Site, podman: &Podman<'_>, name: &str) {
    podman.output(&["stop", name]);
    // podman itself says nothing of a DEL that failed.
    let calls = site.calls();
    let last = calls.last().expect("podman called the plugin");
    assert_eq!((&*last.command, last.status), ("DEL", 0));
    assert_eq!(site.local_records(), [""; 0]);
    assert_eq!(site.enclosure().network_namespaces(), [""; 0]);
}

/// Has the plugin called twice on this node, which drains what there is to drain.
fn drain(podman: &Podman<'_>) {
    podman.run("drains").expect("run a container");
    podman.output(&["rm", "--force", "--time", "0", "drains"]);
}

#[track_caller]
fn assert_held_by(site: &Site, address: IpAddr, id: &str) {
    let holder = site.holder(address);
    assert!(
        holder.to_string().contains(id),
        "{address} is held by {holder}, not by {id}"
    );
}

/// The containers' addresses differ, and each is held by its container.
#[track_caller]
fn assert_each_holds_its_own(site: &Site, podman: &Podman<'_>, all: &[(&str, IpAddr)]) {
    let different: BTreeSet<_> = all.iter().map(|(_, address)| address).collect();
    assert_eq!(different.len(), all.len(), "{all:?}");
    for (name, address) in all {
        assert_held_by(site, *address, &podman.id(name));
        assert_eq!(podman.address(name), Some(*address));
    }
}
