//! The switch down or hung, and both started again in the middle.

use std::time::Duration;

use e2e::wait;

use super::away::{BOUND, assert_bounded};
use super::{next_call, port_of};
use crate::container::assert_names;
use crate::ground::{Ground, Kind, NARROW, NOTHING, WIDE};

/// Waits until the ADD under way has its port in the database.
fn until_port(ground: &Ground) {
    let there = || !ground.ovs().ports().is_empty();
    wait::until(BOUND, "the port is in the database", there);
}

#[test]
fn the_database_started_again_in_the_middle_of_an_add_leaves_all_or_nothing() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    for n in 0..3 {
        let container = ground.container(&format!("c{n}"));
        ground.ovs().pause_switch();
        let running = container.start("ADD");
        until_port(&ground);
        ground.ovs().kill_database();
        if n > 0 {
            ground.ovs().start_database();
            ground.ovs().resume_switch();
        }
        let reply = running.finish();
        if n == 0 {
            ground.ovs().start_database();
            ground.ovs().resume_switch();
        }
        assert_bounded(&reply, "ADD");
        if reply.status.success() {
            container.assert_connected(reply.address());
        } else {
            assert_names(&reply.failure(), 11, &["OVSDB"]);
            assert_eq!(container.netns.links(), [""; 0]);
            assert_eq!(ground.held(), NOTHING);
        }
        container.del().success();
        ground.ovs().settle();
        next_call(&ground);
        ground.assert_clean("a database started again");
    }
    ground.assert_no_leak(13);
}

#[test]
fn containers_work_again_after_both_were_started_again() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let address = container.add().address();
    for both in [false, true] {
        ground.ovs().kill_database();
        if both {
            ground.ovs().kill_switch();
        }
        ground.ovs().start_database();
        if both {
            ground.ovs().start_switch();
        }
        ground.ovs().settle();
        container.assert_connected(address);
        let other = ground.container("b");
        let reply = other.add();
        other.assert_connected(reply.address());
        other.del().success();
    }
    container.del().success();
    ground.assert_clean("both started again");
}

#[test]
fn an_add_without_a_switch_is_11_and_leaves_nothing() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let before = ground.container("before");
    before.add().success();
    for hung in [true, false] {
        if hung {
            ground.ovs().pause_switch();
        } else {
            ground.ovs().kill_switch();
        }
        let container = ground.container("a");
        let reply = container.add();
        assert_names(&reply.failure(), 11, &["ovs-vswitchd"]);
        assert_bounded(&reply, "ADD");
        assert_eq!(container.netns.links(), [""; 0]);
        container.del().success();
        if hung {
            ground.ovs().resume_switch();
        }
        assert_eq!(ground.held().len(), 1, "that of `before`");
    }
    // DEL needs no switch.
    let reply = before.del();
    reply.success();
    assert!(
        reply.elapsed < Duration::from_secs(3),
        "{:?}",
        reply.elapsed
    );
    assert_eq!(ground.ovs().ports(), [""; 0]);
    ground.ovs().start_switch();
    ground.ovs().settle();
    next_call(&ground);
    ground.assert_clean("no switch");
    ground.assert_no_leak(13);
}

#[test]
fn a_switch_that_is_late_is_waited_for() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let container = ground.container("a");
    ground.ovs().pause_switch();
    let running = container.start("ADD");
    until_port(&ground);
    ground.ovs().resume_switch();
    let reply = running.finish();
    container.assert_connected(reply.address());
    container.del().success();
    ground.assert_clean("a late switch");
}

/// `ofport` is -1, and `error` says why.
#[test]
fn a_port_that_the_switch_refuses_fails_the_add_with_its_words() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let container = ground.container("a");
    ground.ovs().pause_switch();
    let running = container.start("ADD");
    until_port(&ground);
    let port = port_of(&ground, &container);
    ground.node().netns().ip(&["link", "del", &port]);
    ground.ovs().resume_switch();
    let reply = running.finish();
    let error = reply.failure();
    assert!(!error.details.is_empty(), "{error:?}");
    assert_eq!(container.netns.links(), [""; 0]);
    container.del().success();
    ground.assert_clean("a refused port");
    ground.assert_no_leak(13);
}

/// Somebody cleans the bridge up while an ADD waits for the switch.
#[test]
fn a_port_that_is_removed_in_the_middle_fails_the_add() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let container = ground.container("a");
    ground.ovs().pause_switch();
    let running = container.start("ADD");
    until_port(&ground);
    let port = port_of(&ground, &container);
    ground.ovs().vsctl(&["--no-wait", "del-port", &port]);
    ground.ovs().resume_switch();
    let reply = running.finish();
    assert_names(&reply.failure(), 11, &[&port]);
    assert_bounded(&reply, "ADD");
    assert_eq!(container.netns.links(), [""; 0]);
    container.del().success();
    ground.assert_clean("a removed port");
}
