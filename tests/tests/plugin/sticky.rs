//! Pods that keep their addresses: a new sandbox of the same pod, on this node or on another.

use std::fs;

use e2e::plugin::Call;

use crate::container::{Container, assert_names};
use crate::ground::{Ground, Kind, NARROW, NOTHING, WIDE};
use crate::records;

/// A sandbox of the pod `web-0` that asks to keep its address.
pub(crate) fn sandbox<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    ground
        .container(id)
        .of_pod("web-0", "u1")
        .annotated("berth.dev/sticky", "true")
}

/// DEL without a namespace, as containerd makes the second one.
fn del_without_netns(container: &Container<'_>) {
    let call = Call {
        netns: None,
        ..container.call_of("DEL")
    };
    container.answer(&call).success();
}

fn moves_on_the_node(kind: Kind) {
    let ground = Ground::new(kind, WIDE);
    let [old, new] = ["old", "new"].map(|id| sandbox(&ground, id));
    let address = old.add().address();
    assert_eq!(new.add().address(), address, "the pod keeps its address");
    assert_eq!(
        old.netns.links(),
        [""; 0],
        "the old sandbox has no interface"
    );
    new.assert_connected(address);
    assert_eq!(ground.held(), [address]);
    let holder = format!("n1/pods/{}/eth0", new.id);
    assert_eq!(ground.holder(address), Some(holder.clone()));

    // Cases 23 to 25: a DEL that comes late, twice, or without a namespace, ends nothing of it.
    old.del().success();
    old.del().success();
    del_without_netns(&old);
    assert_eq!(ground.holder(address), Some(holder));
    new.assert_connected(address);
    new.del().success();
    ground.assert_clean("a pod that moved");
    assert!(records::wanted(&ground).is_empty(), "nobody waited");
}

#[test]
fn case_22_a_new_sandbox_of_a_sticky_pod_takes_over_from_the_old_one_embedded() {
    moves_on_the_node(Kind::Embedded);
}

#[test]
fn case_22_a_new_sandbox_of_a_sticky_pod_takes_over_from_the_old_one_etcd() {
    moves_on_the_node(Kind::Etcd);
}

#[test]
fn case_22_a_sandbox_whose_namespace_is_gone_is_taken_over_from() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let old = sandbox(&ground, "old");
    let address = old.add().address();
    let Container { netns, .. } = old;
    drop(netns);
    let new = sandbox(&ground, "new");
    assert_eq!(new.add().address(), address);
    new.assert_connected(address);
    new.del().success();
    let call = Call::new("DEL", "old", None, &new.config);
    ground.plugin.call(ground.node(), &call).success();
    ground.assert_clean("a namespace that was gone");
}

#[test]
fn case_22_a_sandbox_that_the_node_has_no_file_of_is_found_by_the_store() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let [old, new] = ["old", "new"].map(|id| sandbox(&ground, id));
    let address = old.add().address();
    fs::remove_dir_all(ground.node().file("run")).expect("lose runDir");
    assert_eq!(new.add().address(), address);
    assert_eq!(old.netns.links(), [""; 0]);
    old.del().success();
    new.assert_connected(address);
    new.del().success();
    ground.assert_clean("a sandbox without files");
}

#[test]
fn case_22_a_sandbox_that_another_call_works_on_stands_for_now() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let [old, new] = ["old", "new"].map(|id| sandbox(&ground, id));
    let address = old.add().address();
    let lock = ground.node().file("run/intents/old-eth0.json");
    let file = fs::File::create(&lock).expect("the file of the old sandbox's calls");
    let held = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusive);
    let held = held.map_err(|(_, errno)| errno).expect("lock it");
    let error = new.add().failure();
    assert_names(
        &error,
        11,
        &[&address.to_string(), "n1/pods/old/eth0", "another call"],
    );
    assert_eq!(new.netns.links(), [""; 0]);
    old.assert_connected(address);
    let waiting: Vec<_> = records::wanted(&ground)
        .into_iter()
        .map(|(a, _)| a)
        .collect();
    assert_eq!(waiting, [address]);
    drop(held);
    assert_eq!(new.add().address(), address, "the next try has it");
    assert!(
        records::wanted(&ground).is_empty(),
        "and nobody waits any more"
    );
    old.del().success();
    new.assert_connected(address);
    new.del().success();
    ground.assert_clean("a sandbox at work");
}

#[test]
fn two_sandboxes_of_one_pod_that_want_each_others_address_wait_for_neither_for_long() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let [old, new] = ["old", "new"].map(|id| sandbox(&ground, id));
    let address = old.add().address();
    for round in 0..8 {
        let both = [&old, &new].map(|container| container.start("ADD"));
        let ended = both.map(|call| call.finish().status.success());
        assert!(ended.contains(&true), "one of them has it in round {round}");
        assert_eq!(ground.held(), [address]);
    }
    let links = [&old, &new].map(|container| container.netns.links().len());
    assert_eq!(
        links.iter().sum::<usize>(),
        1,
        "one interface has the address"
    );
    old.del().success();
    new.del().success();
    ground.assert_clean("two at once");
}

fn on_another_node(kind: Kind) {
    let ground = Ground::with_nodes(kind, WIDE, 2);
    records::change_pool(&ground, "prod", |pool| pool.sticky = true);
    let [old, new] = [0, 1].map(|n| {
        let node = &ground.nodes[n];
        ground.container_on(node, "web").of_pod("web-0", "u1")
    });
    let address = old.add().address();
    // Case 77: the pod is deleted by force, and its container still runs.
    let error = new.add().failure();
    let holder = "n1/pods/web/eth0";
    assert_names(&error, 11, &[&address.to_string(), holder]);
    assert_eq!(new.netns.links(), [""; 0]);
    old.assert_connected(address);
    let waiting = records::wanted(&ground);
    let [(wanted, record)] = waiting.as_slice() else {
        panic!("one waits: {waiting:?}");
    };
    assert_eq!(*wanted, address);
    assert_eq!(record.holder.to_string(), holder);
    assert_eq!(record.attachment.to_string(), "n2/pods/web/eth0");
    new.del().success();
    assert_eq!(
        ground.held(),
        [address],
        "a DEL of the refused takes nothing"
    );

    old.del().success();
    assert_eq!(ground.held(), NOTHING);
    assert_eq!(
        new.add().address(),
        address,
        "after the DEL it moves to the other node"
    );
    new.assert_connected(address);
    assert!(records::wanted(&ground).is_empty(), "nobody waits any more");
    old.del().success();
    assert_eq!(ground.holder(address).as_deref(), Some("n2/pods/web/eth0"));
    new.del().success();
    ground.assert_clean("a pod on another node");
}

#[test]
fn case_77_a_sticky_pod_on_another_node_waits_until_the_old_one_is_gone_etcd() {
    on_another_node(Kind::Etcd);
}

#[test]
fn a_pod_without_a_uid_never_takes_over() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let [old, new] = ["old", "new"].map(|id| {
        let nameless = sandbox(&ground, id);
        nameless.of_pod("web-0", "")
    });
    let address = old.add().address();
    let error = new.add().failure();
    assert_names(&error, 11, &[&address.to_string(), "n1/pods/old/eth0"]);
    old.assert_connected(address);
    old.del().success();
    assert_eq!(new.add().address(), address, "what is free it has again");
    new.del().success();
    ground.assert_clean("a pod without a uid");
}

#[test]
fn a_pod_of_the_same_name_with_another_uid_waits_for_the_first_to_end() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let [old, new] = [("old", "u1"), ("new", "u2")].map(|(id, uid)| {
        let container = sandbox(&ground, id);
        container.of_pod("web-0", uid)
    });
    let address = old.add().address();
    let error = new.add().failure();
    assert_names(&error, 11, &[&address.to_string(), "n1/pods/old/eth0"]);
    old.assert_connected(address);
    old.del().success();
    assert_eq!(new.add().address(), address);
    new.del().success();
    ground.assert_clean("a pod made anew");
}

#[test]
fn two_interfaces_of_one_pod_never_share_an_address() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    records::change_pool(&ground, "prod", |pool| pool.sticky = true);
    let container = ground.container("a").of_pod("web-0", "u1");
    let call = |command, ifname| Call {
        ifname,
        ..container.call_of(command)
    };
    let first = container.answer(&call("ADD", "eth0")).address();
    let second = container.answer(&call("ADD", "net1")).address();
    assert_ne!(first, second);
    assert_eq!(container.netns.links().len(), 2);
    for ifname in ["eth0", "net1"] {
        container.answer(&call("DEL", ifname)).success();
    }
    let again = ["net1", "eth0"].map(|ifname| container.answer(&call("ADD", ifname)).address());
    assert_eq!(again, [second, first], "each has its own again");
    for ifname in ["eth0", "net1"] {
        container.answer(&call("DEL", ifname)).success();
    }
    ground.assert_clean("two interfaces");
}

#[test]
fn a_pods_annotation_takes_it_out_of_a_sticky_pool() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    records::change_pool(&ground, "prod", |pool| pool.sticky = true);
    let [old, new] = ["old", "new"].map(|id| {
        let container = ground.container(id).of_pod("web-0", "u1");
        container.annotated("berth.dev/sticky", "false")
    });
    assert_ne!(old.add().address(), new.add().address());
    assert_eq!(ground.held().len(), 2);
    old.del().success();
    new.del().success();
    let kept = records::addresses(&ground);
    assert!(
        kept.iter().all(|(_, record)| record.reserved_for.is_none()),
        "{kept:?}"
    );
}

#[test]
fn what_a_pod_cannot_have_is_refused_by_the_name_of_its_annotation() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let sticky = |id| ground.container(id).annotated("berth.dev/sticky", "true");
    sticky("nobody").refused(7, &["berth.dev/sticky", "true"]);
    let pod = |id| ground.container(id).of_pod("web-0", "u1");
    pod("a")
        .annotated("berth.dev/sticky", "yes")
        .refused(7, &["berth.dev/sticky", "yes"]);
    let both = sandbox(&ground, "b").annotated("berth.dev/addresses", "10.20.1.5");
    both.refused(7, &["berth.dev/sticky", "berth.dev/addresses"]);
    let set = sandbox(&ground, "c").annotated("berth.dev/reservation", "web");
    set.refused(7, &["berth.dev/sticky", "berth.dev/reservation"]);
    let named = pod("d").annotated("berth.dev/reservation", "nobody-made-it");
    named.refused(7, &["shop/workload/nobody-made-it"]);
    let slash = pod("e").annotated("berth.dev/reservation", "a/b");
    slash.refused(7, &["berth.dev/reservation", "a/b"]);
}
