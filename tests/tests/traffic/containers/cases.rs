//! Whose packets are whose, where it is not plain.

use e2e::cgroup::Cgroup;
use e2e::debian;
use e2e::process;
use serde_json::Value;

use super::peer::{Count, Peer, count};
use super::pod::{Group, id};
use crate::engine::ground::Ground;
use crate::engine::hook::hook;

/// What of `counts` went by the loopback interface: received and sent.
fn loopback(counts: &Value) -> [Count; 2] {
    ["loopbackReceive", "loopbackTransmit"].map(|way| count(&counts[way]))
}

#[test]
fn case_8_what_containers_say_to_each_other_is_counted_apart() {
    let (ground, cgroups) = (Ground::new(), Cgroup::new());
    let pod = Group::new(&ground, &cgroups, "web-0", '2');
    let ((a, short_a), (b, short_b)) = (id('a'), id('b'));
    let _agent = ground.start(&["--cgroup", &cgroups.path(), "--cri", "none"]);
    let mut workers = [pod.container(&a), pod.container(&b)];
    pod.wait_split(&[&short_a, &short_b]);

    workers[0].tell("serve 127.0.0.1:80");
    assert_eq!(workers[1].tell("tcp 127.0.0.1:80 500000"), "500000");

    let settled = e2e::wait::becomes_true(std::time::Duration::from_secs(20), || {
        let shown = pod.shown();
        let [serves, asks] = [loopback(&shown[0].1), loopback(&shown[1].1)];
        serves == [asks[1], asks[0]] && serves[0].bytes > 500_000
    });
    let shown = pod.shown();
    assert!(settled, "{shown:?}");
    for (_, counts) in shown {
        assert_eq!(count(&counts["receive"]), Count::default());
        assert_eq!(count(&counts["transmit"]), Count::default());
    }
}

#[test]
fn case_40_a_socket_that_was_passed_on_stays_its_makers() {
    let (ground, cgroups) = (Ground::new(), Cgroup::new());
    let pod = Group::new(&ground, &cgroups, "web-0", '3');
    let ((a, short_a), (b, short_b)) = (id('a'), id('b'));
    let mut peer = Peer::new(&ground.lan, 1);
    peer.face(&ground.lan, &pod.netns);
    peer.worker.tell(&format!("sink {}:9", peer.address));
    let _agent = ground.start(&["--cgroup", &cgroups.path(), "--cri", "none"]);
    let (mut maker, mut user) = (pod.container(&a), pod.container(&b));
    pod.wait_split(&[&short_a, &short_b]);

    let path = ground.scratch.join("pass").display().to_string();
    maker.tell("udp s");
    maker.order(&format!("give s {path}"));
    user.tell(&format!("take s {path}"));
    maker.answer();
    user.tell(&format!("send s {}:9 25 100", peer.address));

    let sent = Count {
        bytes: 25 * 128,
        packets: 25,
    };
    pod.assert_exact("the maker", &short_a, || [Count::default(), sent]);
    pod.assert_exact("the user", &short_b, || [Count::default(); 2]);
}

#[test]
fn case_14_what_the_kernel_answers_is_no_containers() {
    let (ground, cgroups) = (Ground::new(), Cgroup::new());
    let pod = Group::new(&ground, &cgroups, "web-0", '4');
    let ((a, short_a), (b, short_b)) = (id('a'), id('b'));
    let mut peer = Peer::new(&ground.lan, 1);
    peer.face(&ground.lan, &pod.netns);
    let _agent = ground.start(&["--cgroup", &cgroups.path(), "--cri", "none"]);
    let _workers = [pod.container(&a), pod.container(&b)];
    pod.wait_split(&[&short_a, &short_b]);
    ground.wait_counted("web-0", hook());

    let address = pod.netns.addresses("eth0")[0].to_string();
    let mut ping = ground
        .lan
        .netns()
        .command(debian::require("ping", "iputils-ping"));
    process::output(ping.args(["-q", "-c", "200", "-i", "0.002", &address]));
    assert_eq!(
        peer.worker.tell(&format!("open {address}:81")),
        "connection refused"
    );

    let shown = ground.shown("web-0").expect("the pod is counted");
    assert!(
        shown["totals"]["receive"]["packets"].as_u64() > Some(200),
        "{shown}"
    );
    for name in [short_a, short_b] {
        pod.assert_exact("no container's", &name, || [Count::default(); 2]);
    }
}

#[test]
fn a_pods_connections_are_counted_where_that_is_asked_for() {
    let (ground, cgroups) = (Ground::new(), Cgroup::new());
    let pod = Group::new(&ground, &cgroups, "web-0", '5');
    let mut peer = Peer::new(&ground.lan, 1);
    peer.face(&ground.lan, &pod.netns);
    let _agent = ground.start(&["--cgroup", &cgroups.path(), "--cri", "none", "--tcp"]);
    let mut worker = pod.container(&id('a').0);
    ground.wait_counted("web-0", hook());
    e2e::wait::until(
        crate::engine::ground::PATIENCE,
        "its TCP is looked at",
        || {
            let links = ground.links();
            links.iter().any(|link| link.ends_with("-tcp"))
        },
    );
    let tcp = || ground.shown("web-0").expect("the pod is counted")["totals"]["tcp"].clone();
    let address = pod.netns.addresses("eth0")[0].to_string();

    peer.worker.tell(&format!("serve {}:80", peer.address));
    assert_eq!(
        worker.tell(&format!("tcp {}:80 400000", peer.address)),
        "400000"
    );
    assert_eq!(
        worker.tell(&format!("open {}:81", peer.address)),
        "connection refused"
    );
    worker.tell(&format!("serve {address}:80"));
    assert_eq!(peer.worker.tell(&format!("tcp {address}:80 1000")), "1000");
    let seen = tcp();
    assert_eq!(seen["connected"], 1, "{seen}");
    assert_eq!(seen["failed"], 1, "{seen}");
    assert_eq!(seen["accepted"], 1, "{seen}");
    assert!(seen["rttSumUs"].as_u64() > Some(0), "{seen}");

    let before = seen["retransmits"].as_u64().expect("a counter");
    peer.unplug(&ground.lan);
    worker.order(&format!("tcp {}:80 1000", peer.address));
    e2e::wait::until(crate::engine::ground::PATIENCE, "it is sent again", || {
        tcp()["retransmits"].as_u64() > Some(before)
    });
    peer.plug(&ground.lan);
    assert_eq!(worker.answer(), "1000");
    assert_eq!(tcp()["connected"], 2);
}

#[test]
fn pods_that_come_and_go_leave_no_link() {
    let (ground, cgroups) = (Ground::new(), Cgroup::new());
    let arguments = ["--cgroup", &cgroups.path(), "--cri", "none"];
    let agent = &mut ground.start(&arguments);
    let pod = Group::new(&ground, &cgroups, "web-0", '6');
    for round in 0..40_u32 {
        let ids = [
            format!("{round:012x}{:052x}", 1),
            format!("{:012x}{:052x}", round + 100, 1),
        ];
        let workers = ids.each_ref().map(|id| pod.container(id));
        if round % 10 == 0 {
            let links = || {
                ground
                    .links()
                    .iter()
                    .filter(|link| link.starts_with("pod-"))
                    .count()
            };
            e2e::wait::until(
                crate::engine::ground::PATIENCE,
                "they are told apart",
                || links() == 2,
            );
        }
        drop(workers);
        for id in &ids {
            assert!(e2e::wait::becomes_true(
                std::time::Duration::from_secs(10),
                || e2e::cgroup::remove(&pod.cgroup(id))
            ));
        }
    }
    assert!(e2e::wait::becomes_true(
        std::time::Duration::from_secs(10),
        || e2e::cgroup::remove(&cgroups.make(&pod.path()))
    ));
    e2e::wait::until(crate::engine::ground::PATIENCE, "no link is left", || {
        !ground.links().iter().any(|link| link.starts_with("pod-"))
    });
    assert!(agent.lives(), "{}", agent.log());
}
