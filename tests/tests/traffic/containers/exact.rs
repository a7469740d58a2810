//! What a container is told to have sent and received is what was on the wire.

use e2e::cgroup::Cgroup;

use super::peer::{Count, Peer, count};
use super::pod::{Group, id};
use crate::engine::ground::Ground;

/// Each container speaks with a peer of its own, whose device is the oracle.
#[test]
fn two_containers_of_one_pod_have_what_was_on_the_wire() {
    let (ground, cgroups) = (Ground::new(), Cgroup::new());
    let pod = Group::new(&ground, &cgroups, "web-0", '1');
    let ((a, short_a), (b, short_b)) = (id('a'), id('b'));
    let mut peers = [Peer::new(&ground.lan, 1), Peer::new(&ground.lan, 2)];
    for peer in &peers {
        peer.face(&ground.lan, &pod.netns);
    }
    let arguments = ["--cgroup", &cgroups.path(), "--cri", "none"];
    let mut agent = ground.start(&arguments);
    let mut workers = [pod.container(&a), pod.container(&b)];
    pod.wait_split(&[&short_a, &short_b]);
    let names = [short_a.as_str(), short_b.as_str()];

    let before = [0, 1].map(|at: usize| peers[at].wire());
    let wire = |peers: &[Peer; 2], at: usize| {
        let now = peers[at].wire();
        [0, 1].map(|way: usize| now[way].since(before[at][way]))
    };
    for (at, peer) in peers.iter_mut().enumerate() {
        peer.worker.tell(&format!("sink {}:9", peer.address));
        peer.worker.tell(&format!("serve {}:80", peer.address));
        let worker = &mut workers[at];
        worker.tell("udp s");
        assert_eq!(
            worker.tell(&format!("send s {}:9 {} 100", peer.address, 50 + at)),
            (50 + at).to_string()
        );
        let bulk = 3_000_000 + at * 1_000_000;
        assert_eq!(
            worker.tell(&format!("tcp {}:80 {bulk}", peer.address)),
            bulk.to_string()
        );
    }
    for (at, name) in names.iter().enumerate() {
        pod.assert_exact("while the agent runs", name, || wire(&peers, at));
    }

    agent.stop(std::time::Duration::from_secs(20));
    for (at, peer) in peers.iter().enumerate() {
        workers[at].tell(&format!("send s {}:9 70 1000", peer.address));
        workers[at].tell(&format!("tcp {}:80 200000", peer.address));
    }
    for (at, name) in names.iter().enumerate() {
        pod.assert_exact("without an agent", name, || wire(&peers, at));
    }

    let mut agent = ground.start(&arguments);
    pod.wait_split(&names);
    workers[0].tell(&format!("send s {}:9 70 8", peers[0].address));
    for (at, name) in names.iter().enumerate() {
        pod.assert_exact("after a restart", name, || wire(&peers, at));
    }
    let unattributed = &ground.snapshot()["unattributed"];
    for reason in ["pod_cgroup", "unknown_cgroup", "map_full"] {
        assert_eq!(
            count(&unattributed[reason]["transmit"]),
            Count::default(),
            "{reason}"
        );
    }
    assert!(agent.lives());
}
