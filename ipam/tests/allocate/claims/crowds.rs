//! Many at once.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;

use berth_ipam::Lease;

use crate::support::{Node, OneAddress as _, Site, block_on, known, now, subnet};

/// Has every node give an address to `each` containers, all at the same time.
async fn give_all(nodes: &[Node], each: usize, round: usize) -> Vec<(Node, String, Lease)> {
    let mut tasks = Vec::new();
    for node in nodes {
        for n in 0..each {
            let (node, name) = (node.clone(), format!("c{round}-{n}"));
            tasks.push(tokio::spawn(async move {
                let lease = node.give(&name).await;
                (node, name, lease)
            }));
        }
    }
    let mut given = Vec::new();
    for task in tasks {
        given.push(task.await.expect("a task"));
    }
    given
}

async fn release_all(given: Vec<(Node, String, Lease)>) {
    let release = |(node, name, lease): (Node, String, Lease)| {
        tokio::spawn(async move {
            node.ipam
                .release(&node.id(&name), Some(&known(&lease)), now())
                .await
                .expect("release")
        })
    };
    let tasks: Vec<_> = given.into_iter().map(release).collect();
    for task in tasks {
        task.await.expect("a task");
    }
}

/// Runs `body` outside the test's own runtime.
fn aside<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(body).join().expect("no panic"))
}

/// On several threads, so that calls wait for the hint's lock and for each other.
fn all_differ(site: &Site, nodes: &[&str], each: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build();
    // Connections live and die with the runtime they were made on.
    let nodes: Vec<_> = nodes.iter().map(|name| site.node(name)).collect();
    aside(|| {
        runtime
            .expect("runtime")
            .block_on(come_and_go(site, &nodes, each));
    });
}

async fn come_and_go(site: &Site, nodes: &[Node], each: usize) {
    for round in 0..3 {
        let given = give_all(nodes, each, round).await;
        let addresses: BTreeSet<IpAddr> =
            given.iter().map(|(_, _, lease)| lease.address()).collect();
        assert_eq!(
            addresses.len(),
            nodes.len() * each,
            "round {round}: an address is given twice"
        );
        let held: BTreeSet<_> = site.holders().await.into_keys().collect();
        assert_eq!(held, addresses, "round {round}");
        release_all(given).await;
        assert!(site.holders().await.is_empty(), "round {round}");
    }
}

pub(crate) async fn sixty_four_tasks_of_one_node_get_different_addresses(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    all_differ(site, &["n1"], 64);
}

pub(crate) async fn eight_tasks_on_each_of_eight_nodes_get_different_addresses(site: &Site) {
    // 125 addresses for 64 containers: blocks run short.
    site.pool(&[subnet("10.20.1.0/25")], 16).await;
    all_differ(site, &["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"], 8);
}

pub(crate) async fn containers_come_and_go_on_three_nodes(site: &Site) {
    // 29 addresses; up to 24 are held at once.
    site.pool(&[subnet("10.20.1.0/27")], 4).await;
    aside(|| {
        thread::scope(|scope| {
            for worker in 0..6 {
                let node = site.node(&format!("n{}", worker % 3));
                scope.spawn(move || block_on(churn(&node, worker)));
            }
        });
    });
    assert!(site.holders().await.is_empty());
}

async fn churn(node: &Node, worker: usize) {
    for round in 0..10 {
        let mut held = Vec::new();
        for n in 0..4 {
            let name = format!("w{worker}-{round}-{n}");
            let lease = node.give(&name).await;
            held.push((name, lease));
        }
        let addresses: BTreeSet<_> = held.iter().map(|(_, lease)| lease.address()).collect();
        assert_eq!(addresses.len(), 4);
        for (n, (name, lease)) in held.into_iter().enumerate() {
            let memory = (n % 2 == 0).then(|| known(&lease));
            let released = node
                .ipam
                .release(&node.id(&name), memory.as_ref(), now())
                .await;
            assert_ne!(released.expect("release"), berth_ipam::Released::Nothing);
        }
    }
}
