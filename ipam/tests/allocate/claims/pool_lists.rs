//! Several pools in order, pools that change, and what resting means between nodes.

use std::collections::BTreeSet;
use std::fs;

use berth_ipam::{IpamError, Request};
use berth_types::{PoolRecord, PoolState, fnv1a};

use crate::support::cast::{name, pool_of};
use crate::support::{Node, OneAddress as _, Site, exhausted, ip};

fn ask(node: &Node, container: &str, pools: &[&str]) -> Request {
    Request {
        pools: pools.iter().map(|pool| name(pool)).collect(),
        ..node.ask(container)
    }
}

pub(crate) async fn pools_are_tried_in_order_and_the_error_counts_those_that_are_full(site: &Site) {
    let state = PoolState::Draining;
    let pool = |cidr| pool_of(&[cidr]);
    let drains = PoolRecord {
        state,
        ..pool("10.20.3.0/30")
    };
    let elsewhere = vec!["rack-9-*".parse().expect("a pattern")];
    let elsewhere = PoolRecord {
        nodes: elsewhere,
        ..pool("10.20.4.0/30")
    };
    for (name, record) in [
        ("one", pool("10.20.1.0/30")),
        ("two", pool("10.20.2.0/30")),
        ("drains", drains),
        ("elsewhere", elsewhere),
    ] {
        site.put_pool(name, &record).await;
    }
    let node = site.node("n1");
    let list = ["drains", "one", "elsewhere", "two"];
    for (container, address) in [("a", "10.20.1.2"), ("b", "10.20.2.2")] {
        let lease = node.allocate(&ask(&node, container, &list)).await;
        assert_eq!(lease.expect("an address").address(), ip(address));
    }
    let error = node
        .allocate(&ask(&node, "c", &list))
        .await
        .expect_err("full");
    assert_eq!(
        exhausted(&error),
        [(name("one"), 1, 1), (name("two"), 1, 1)]
    );
    let words = error.to_string();
    assert!(
        words.contains("pool one: 1 of 1") && words.contains("pool two: 1 of 1"),
        "{words}"
    );
    let error = node
        .allocate(&ask(&node, "c", &["drains", "elsewhere"]))
        .await;
    assert!(
        matches!(error, Err(IpamError::PoolClosed { .. })),
        "{error:?}"
    );
    node.release("b").await;
    let exact = Request {
        exact: vec![ip("10.20.2.2")],
        ..ask(&node, "c", &list)
    };
    let lease = node.allocate(&exact).await.expect("an address");
    assert_eq!(
        (lease.address(), lease.pool),
        (ip("10.20.2.2"), name("two"))
    );
}

pub(crate) async fn an_exclusion_reaches_every_nodes_next_allocation(site: &Site) {
    let mut pool = pool_of(&["10.20.1.0/27"]);
    site.put_pool("prod", &pool).await;
    let nodes = ["n1", "n2", "n3"].map(|name| site.node(name));
    for node in &nodes {
        node.give("before").await;
    }
    let held = site.holders().await.len();
    pool.subnets[0].exclude = vec!["10.20.1.0-10.20.1.23".parse().expect("a range")];
    site.put_pool("prod", &pool).await;
    for node in &nodes {
        for n in 0..2 {
            let address = node.give(&format!("c{n}")).await.address();
            assert!(address > ip("10.20.1.23"), "{address}");
        }
    }
    assert_eq!(site.holders().await.len(), held + 6);
    site.put_pool(
        "prod",
        &PoolRecord {
            state: PoolState::Draining,
            ..pool
        },
    )
    .await;
    for node in &nodes {
        let error = node.allocate(&node.ask("late")).await;
        assert!(
            matches!(error, Err(IpamError::PoolClosed { .. })),
            "{error:?}"
        );
    }
}

pub(crate) async fn a_rested_address_of_anothers_block_comes_before_ones_own_resting(site: &Site) {
    // Two blocks of four: .2 and .3, .4 to .6.
    site.put_pool("prod", &pool_of(&["10.20.1.0/29"])).await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    let own = one.give("a").await.address();
    let theirs = two.give("b").await.address();
    one.release("a").await;
    let mut given = BTreeSet::from([theirs]);
    for n in 0..3 {
        let address = one.give(&format!("c{n}")).await.address();
        assert_ne!(address, own, "it rests");
        assert!(given.insert(address));
    }
    assert_eq!(one.give("last").await.address(), own, "it gives way");
}

pub(crate) async fn a_hint_of_another_release_counts_as_none(site: &Site) {
    site.put_pool("prod", &pool_of(&["10.20.1.0/24"])).await;
    let node = site.node("n1");
    let first = node.give("a").await;
    let [hint] = &site.files("n1", ".hint")[..] else {
        panic!("one hint")
    };
    let text = fs::read_to_string(hint).expect("read");
    let (_, body) = text.split_once('\n').expect("a head and a body");
    let body = body.replacen('{', "{\"colour\":7,", 1);
    let intact = format!("{:016x}\n{body}", fnv1a(body.as_bytes()));
    fs::write(hint, intact).expect("write");
    let second = node.give("b").await;
    assert_ne!(first.address(), second.address());
    node.rig.requests();
    node.give("c").await;
    assert_eq!(node.rig.requests(), 1);
}
