//! DEL when things are not as they were: namespaces gone or used again, the store away.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::netns::Netns;
use e2e::plugin::Call;
use e2e::process;
use serde_json::json;

use crate::container::assert_names;
use crate::ground::{Ground, Kind, NARROW, WIDE, assert_node_clean, ip, waiting};

/// Another namespace now stands at the path: its links are not ours.
#[test]
fn case_26_a_path_that_leads_to_another_namespace_is_left_alone() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let container = ground.container("a");
        container.add().success();
        let other = ground.container("b");
        let address = other.add().address();
        // A runtime reuses the path: /proc/PID/ns/net.
        let call = Call {
            netns: Some(other.netns.path()),
            ..container.call_of("DEL")
        };
        container.answer(&call).success();
        assert_eq!(
            container.netns.links(),
            [""; 0],
            "its own namespace is found by its record"
        );
        other.assert_connected(address);
        assert_eq!(ground.held(), [address]);
        // Once more, with nothing known of the container at all.
        container.answer(&call).success();
        assert_eq!(ground.held(), [address]);
        other.assert_connected(address);
    }
}

#[test]
fn case_26_the_recorded_path_itself_leads_elsewhere() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let folder = ground.node().file("netns");
    fs::create_dir(&folder).expect("make a folder");
    let path = folder.join("c");
    let at = |netns: &Netns| {
        fs::write(&path, "").expect("write a file");
        process::output(
            Command::new("mount")
                .arg("--bind")
                .args([netns.path(), &path]),
        );
    };
    let gone = || {
        process::output(Command::new("umount").arg(&path));
    };
    let first = ground.container("a");
    at(&first.netns);
    first
        .answer(&Call {
            netns: Some(&path),
            ..first.call_of("ADD")
        })
        .success();
    gone();
    let foreign = Netns::new("foreign");
    foreign.ip(&["link", "add", "eth0", "type", "bridge"]);
    at(&foreign);
    first
        .answer(&Call {
            netns: Some(&path),
            ..first.call_of("DEL")
        })
        .success();
    assert_eq!(foreign.links(), ["eth0"], "a foreign eth0");
    // It lived on elsewhere only as the test's own mount, which no process is in: as good as gone.
    ground.assert_clean("a path used again");
    gone();
}

#[test]
fn a_namespace_that_lives_on_in_a_process_is_found() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let mut command = container.netns.command("/bin/sleep");
    let mut process = process::Daemon::start(command.arg("60"), &ground.node().file("sleep.log"));
    let path = format!("/proc/{}/ns/net", process.pid());
    let call = Call {
        netns: Some(Path::new(&path)),
        ..container.call_of("ADD")
    };
    container.answer(&call).success();
    assert_eq!(container.netns.links(), ["eth0"]);
    // The runtime's own path is unmounted, or that process ended while another lives.
    let mut other = container.netns.command("/bin/sleep");
    let _other = process::Daemon::start(other.arg("60"), &ground.node().file("other.log"));
    process.kill();
    let call = Call {
        netns: Some(Path::new(&path)),
        ..container.call_of("DEL")
    };
    container.answer(&call).success();
    assert_eq!(container.netns.links(), [""; 0]);
    ground.assert_clean("a namespace without a path");
}

#[test]
fn with_etcd_away_del_is_quick_and_the_next_call_makes_the_release_etcd() {
    let mut ground = Ground::new(Kind::Etcd, WIDE);
    ground.patience_ms = 1000;
    for (n, away) in ["paused", "killed"].into_iter().enumerate() {
        let (id, netns, config, address) = {
            let container = ground.container(&format!("c{n}"));
            let address = container.add().address();
            (
                container.id.clone(),
                container.netns,
                container.config,
                address,
            )
        };
        match away {
            "paused" => ground.etcd().pause(),
            _ => ground.etcd().kill(),
        }
        let call = Call::new("DEL", &id, Some(netns.path()), &config);
        let reply = ground.plugin.call(ground.node(), &call);
        reply.success();
        assert!(
            reply.elapsed < Duration::from_secs(4),
            "{away}: {:?}",
            reply.elapsed
        );
        assert_eq!(netns.links(), [""; 0], "{away}");
        assert_eq!(waiting(ground.node()).len(), 1, "{away}");
        assert_node_clean(ground.node(), away);
        match away {
            "paused" => ground.etcd().resume(),
            _ => ground.etcd().restart(),
        }
        // A paused one finds the request when it goes on, and may answer to nobody.
        let released_late = away == "paused" && ground.held().is_empty();
        assert!(
            released_late || ground.held() == [address],
            "{away}: the release waits"
        );
        let next = ground.container("next");
        next.add().success();
        assert_eq!(waiting(ground.node()), [""; 0], "{away}");
        next.del().success();
        ground.assert_clean(away);
    }
}

/// Many containers go while the store is away; each of the next calls makes some of the releases.
#[test]
fn many_releases_wait_and_none_is_lost_etcd() {
    let ground = Ground::new(Kind::Etcd, WIDE);
    let containers: Vec<_> = (0..20)
        .map(|n| ground.container(&format!("c{n}")))
        .collect();
    for container in &containers {
        container.add().success();
    }
    let away = ground.cut_off();
    let running: Vec<_> = containers
        .iter()
        .map(|container| container.start("DEL"))
        .collect();
    for del in running {
        del.finish().success();
    }
    drop(away);
    assert_eq!(waiting(ground.node()).len(), 20);
    assert_eq!(ground.held().len(), 20);
    for _ in 0..2 {
        ground.container("next").del().success();
    }
    assert_eq!(waiting(ground.node()), [""; 0]);
    ground.assert_clean("twenty releases that waited");
}

#[test]
fn a_late_release_spares_an_address_that_is_anothers_by_now_etcd() {
    let ground = Ground::with_nodes(Kind::Etcd, NARROW, 2);
    let asked = json!({"ips": ["10.20.1.9"]});
    let container = ground.container("a").with("/runtimeConfig", asked.clone());
    container.add().success();
    let away = ground.cut_off();
    container.del().success();
    // Meanwhile an operator gives the address back, and another node hands it out.
    let release = ["release", "10.20.1.9", "--yes"];
    let store = format!("etcd:{}", ground.etcd.as_ref().expect("etcd").endpoint());
    process::output(e2e::plugin::cnictl(&ground.nodes[1], &store).args(release));
    let other = ground
        .container_on(&ground.nodes[1], "b")
        .with("/runtimeConfig", asked);
    other.add().success();
    drop(away);
    ground.container("next").del().success();
    assert_eq!(waiting(ground.node()), [""; 0]);
    assert_eq!(
        ground.holder(ip("10.20.1.9")).as_deref(),
        Some("n2/pods/b/eth0")
    );
    assert_eq!(ground.held(), [ip("10.20.1.9")]);
    other.assert_connected(ip("10.20.1.9"));
}

/// The runtime starts a container under its old id while its release waits.
#[test]
fn a_release_that_waits_spares_the_next_life_of_its_container_etcd() {
    let ground = Ground::new(Kind::Etcd, WIDE);
    let first = ground.container("a");
    let address = first.add().address();
    let away = ground.cut_off();
    first.del().success();
    drop(away);
    let second = ground.container("a");
    assert_eq!(second.add().address(), address, "it keeps its address");
    for _ in 0..2 {
        ground.container("next").del().success();
    }
    assert_eq!(ground.held(), [address]);
    second.assert_connected(address);
    second.del().success();
    ground.assert_clean("a second life");
}

/// With a hardware address that was asked for, a link without a record is known by the store.
#[test]
fn a_link_with_an_address_of_its_own_is_removed_also_when_the_nodes_files_are_lost() {
    let mac = ("/runtimeConfig", json!({"mac": "02:00:00:00:00:17"}));
    let passthru = ("/mode", json!("passthru"));
    // A passthru container takes all that the uplink hears: no etcd by that way.
    for (kind, (pointer, value)) in [
        (Kind::Embedded, mac.clone()),
        (Kind::Etcd, mac),
        (Kind::Embedded, passthru),
    ] {
        let ground = Ground::new(kind, WIDE);
        let container = ground.container("a").with(pointer, value.clone());
        container.add().success();
        fs::remove_dir_all(ground.node().file("run")).expect("lose runDir");
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0], "{kind:?} {value}");
        ground.assert_clean(pointer);
    }
}

/// Without a record, and with the store away, somebody else's link is still left alone. Where not
/// even others' records are left, the call fails: the link may be the very one, so that its address
/// must stay held.
#[test]
fn a_link_that_may_be_anothers_is_left_alone_with_etcd_away_etcd() {
    let ground = Ground::new(Kind::Etcd, WIDE);
    let other = ground
        .container("other")
        .with("/runtimeConfig", json!({"mac": "02:00:00:00:00:17"}));
    let address = other.add().address();
    let away = ground.cut_off();
    let call = Call {
        container: "nobody",
        ..other.call_of("DEL")
    };
    other.answer(&call).success();
    fs::remove_dir_all(ground.node().file("run")).expect("lose runDir");
    assert_names(&other.answer(&call).failure(), 11, &["eth0"]);
    drop(away);
    other.answer(&call).success();
    other.assert_connected(address);
    ground.container("next").del().success();
    assert_eq!(ground.held(), [address]);
}

#[test]
fn an_add_with_etcd_away_fails_with_code_11_and_leaves_nothing_etcd() {
    let mut ground = Ground::new(Kind::Etcd, WIDE);
    ground.patience_ms = 1000;
    let endpoint = ground.etcd().endpoint();
    ground.etcd().pause();
    let container = ground.container("a");
    let reply = container.add();
    assert_names(&reply.failure(), 11, &[&endpoint]);
    assert!(
        reply.elapsed < Duration::from_secs(10),
        "{:?}",
        reply.elapsed
    );
    assert_eq!(container.netns.links(), [""; 0]);
    assert_node_clean(ground.node(), "etcd away");
    container.del().success();
    drop(container);
    ground.etcd().resume();
    ground.container("next").del().success();
    ground.assert_clean("an ADD without a store");
}
