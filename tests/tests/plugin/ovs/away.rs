//! The database down or hung.

use std::time::Duration;

use e2e::plugin::{Call, Reply};

use super::{lose, next_call, nowhere, pending, port_of};
use crate::container::{Container, assert_names};
use crate::ground::{Ground, Kind, NARROW, NOTHING, WIDE};

/// How long a call may take that waits for one of the two in vain.
pub(super) const BOUND: Duration = Duration::from_secs(15);

/// What may be wrong with the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    /// There is no socket.
    Down,
    /// It takes connections, and answers nothing.
    Hung,
}

const BOTH: [Away; 2] = [Away::Down, Away::Hung];

fn take_away(ground: &Ground, away: Away) {
    match away {
        Away::Down => ground.ovs().hide_database(),
        Away::Hung => ground.ovs().pause_database(),
    }
}

fn bring_back(ground: &Ground, away: Away) {
    match away {
        Away::Down => ground.ovs().show_database(),
        Away::Hung => ground.ovs().resume_database(),
    }
    ground.ovs().settle();
}

#[track_caller]
pub(super) fn assert_bounded(reply: &Reply, case: &str) {
    assert!(reply.elapsed < BOUND, "{case}: {:?}", reply.elapsed);
}

#[test]
fn case_55_an_add_with_the_database_away_is_11_and_leaves_nothing() {
    for away in BOTH {
        for kind in [Kind::Embedded, Kind::Etcd] {
            let ground = Ground::switched(kind, NARROW);
            take_away(&ground, away);
            let container = ground.container("a");
            let reply = container.add();
            let socket = ground.ovs().socket().display().to_string();
            assert_names(&reply.failure(), 11, &["OVSDB", &socket]);
            assert_bounded(&reply, "ADD");
            assert_eq!(container.netns.links(), [""; 0], "{away:?}");
            container.del().success();
            assert_eq!(ground.held(), NOTHING, "{away:?}");
            // A hung one finds what it was asked when it goes on, and may do it.
            bring_back(&ground, away);
            next_call(&ground);
            ground.assert_clean(&format!("{away:?}"));
            container.add().success();
            container.del().success();
            ground.assert_no_leak(13);
        }
    }
}

/// Without its namespace, its files, or neither.
fn del_of(ground: &Ground, away: Away, container: Container<'_>, lost: &[&str]) {
    let port = port_of(ground, &container);
    take_away(ground, away);
    let (id, config) = (container.id.clone(), container.config.clone());
    let netns = if lost.contains(&"namespace") {
        drop(container);
        None
    } else {
        Some(container.netns)
    };
    if lost.contains(&"run") {
        lose(ground, "run");
    }
    let path = netns.as_ref().map_or(nowhere(), |netns| netns.path());
    let reply = ground
        .plugin
        .call(ground.node(), &Call::new("DEL", &id, Some(path), &config));
    reply.success();
    assert_bounded(&reply, "DEL");
    let case = format!("{away:?}, {lost:?} lost");
    if let Some(netns) = &netns {
        assert_eq!(netns.links(), [""; 0], "{case}");
    }
    assert!(ground.node().netns().link(&port).is_none(), "{case}");
    assert_eq!(ground.held(), NOTHING, "{case}: the address is free");
    assert_eq!(pending(ground).len(), 1, "{case}: the port waits");
    bring_back(ground, away);
    next_call(ground);
    assert_eq!(pending(ground), [""; 0], "{case}");
    ground.assert_clean(&case);
}

#[test]
fn case_55_a_del_with_the_database_away_releases_and_the_next_call_removes_the_port_embedded() {
    del_with_the_database_away(Kind::Embedded);
}

#[test]
fn case_55_a_del_with_the_database_away_releases_and_the_next_call_removes_the_port_etcd() {
    del_with_the_database_away(Kind::Etcd);
}

fn del_with_the_database_away(kind: Kind) {
    let ground = Ground::switched(kind, NARROW);
    for away in BOTH {
        for lost in [&[][..], &["namespace"], &["run"], &["namespace", "run"]] {
            let container = ground.container("a");
            container.add().success();
            del_of(&ground, away, container, lost);
        }
    }
    ground.assert_no_leak(13);
}

/// Each of the next calls removes some.
#[test]
fn many_ports_wait_and_none_is_lost() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let containers: Vec<_> = (0..20)
        .map(|n| ground.container(&format!("c{n}")))
        .collect();
    for container in &containers {
        container.add().success();
    }
    ground.ovs().hide_database();
    let running: Vec<_> = containers.iter().map(|c| c.start("DEL")).collect();
    for del in running {
        del.finish().success();
    }
    assert_eq!(pending(&ground).len(), 20);
    assert_eq!(ground.held(), NOTHING);
    ground.ovs().show_database();
    assert_eq!(ground.ovs().ports().len(), 20);
    for _ in 0..2 {
        next_call(&ground);
    }
    ground.assert_clean("twenty ports that waited");
}

/// A bridge's database that was taken off the node for good is in nobody's way.
#[test]
fn notes_that_can_never_be_worked_off_keep_no_other_waiting() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let folder = ground.node().file("state/ovs");
    std::fs::create_dir_all(&folder).expect("make a folder");
    let dead = |n: u32| folder.join(format!("bv{n:08}-1-1.json"));
    for n in 0..40 {
        let note = format!(
            r#"{{"v":1,"socket":"/nonexistent/db.sock","attachment":"n1/pods/gone{n}/eth0"}}"#
        );
        std::fs::write(dead(n), note).expect("write a note");
    }
    let container = ground.container("a");
    container.add().success();
    ground.ovs().hide_database();
    container.del().success();
    assert_eq!(pending(&ground).len(), 41);
    ground.ovs().show_database();
    next_call(&ground);
    assert_eq!(pending(&ground).len(), 40);
    assert_eq!(ground.ovs().ports(), [""; 0]);
}

/// The runtime starts a container under its old id while its port waits, and what waits comes
/// late: also a note that does not say of which life it is, because the files were lost.
#[test]
fn a_port_that_waits_to_go_spares_the_next_life_of_its_container() {
    for lost in [false, true] {
        let ground = Ground::switched(Kind::Embedded, WIDE);
        let first = ground.container("a");
        first.add().success();
        // More than one call works off, and before `a`'s in every order.
        let others: Vec<_> = (0..20)
            .map(|n| ground.container(&format!("c{n}")))
            .collect();
        for other in &others {
            other.add().success();
        }
        ground.ovs().hide_database();
        if lost {
            lose(&ground, "run");
        }
        for container in others.iter().chain([&first]) {
            container.del().success();
        }
        assert_eq!(pending(&ground).len(), 21);
        ground.ovs().show_database();
        let second = ground.container("a");
        let address = second.add().address();
        for _ in 0..3 {
            next_call(&ground);
        }
        assert_eq!(pending(&ground), [""; 0], "lost: {lost}");
        assert_eq!(ground.ovs().ports(), [port_of(&ground, &second)]);
        second.assert_connected(address);
        second.del().success();
        ground.assert_clean("the next life");
    }
}
