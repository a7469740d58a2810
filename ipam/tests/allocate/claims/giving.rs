//! Addresses are given, taken back and given again.

use std::collections::BTreeSet;

use berth_ipam::{IpamError, Released, pools};
use berth_store::Write;
use berth_types::{BlockRecord, PodRef, PoolRecord, PoolState, Record as _, keys};

use crate::support::{OneAddress as _, Site, exhausted, ip, known, now, prod, subnet};

pub(crate) async fn what_is_given_is_written_down_and_what_is_released_is_remembered(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let pod = PodRef {
        namespace: "shop".into(),
        name: "web".into(),
        uid: "u1".into(),
    };
    let mut request = node.ask("c1");
    request.pod = Some(pod.clone());
    let lease = node.allocate(&request).await.expect("an address");
    assert_eq!(lease.subnet(), subnet("10.20.1.0/24"));

    let record = site.record(lease.address()).await;
    assert_eq!(record, lease.record());
    let holder = record.holder.expect("a holder");
    assert_eq!((holder.attachment, holder.pod), (node.id("c1"), Some(pod)));
    assert_eq!(
        (holder.incarnation, holder.mac),
        (request.incarnation.clone(), lease.mac)
    );
    assert_eq!(
        site.holders().await.into_iter().collect::<Vec<_>>(),
        [(lease.address(), node.id("c1"))]
    );
    let block = site
        .content()
        .await
        .into_keys()
        .find(|key| key.starts_with(keys::BLOCKS));
    assert!(
        block.is_some(),
        "the block is claimed with its first address"
    );

    let released = node
        .ipam
        .release(&request.attachment, Some(&known(&lease)), now())
        .await;
    let freed = Released::Freed {
        addresses: vec![lease.address()],
        incarnation: request.incarnation,
    };
    assert_eq!(released.expect("release"), freed);
    let record = site.record(lease.address()).await;
    assert_eq!((record.holder, record.released_at), (None, Some(now())));
    assert_eq!(record.previous[0].attachment, node.id("c1"));
    assert!(site.holders().await.is_empty());
}

pub(crate) async fn a_released_address_is_given_again_last(site: &Site) {
    site.pool(&[subnet("10.20.1.0/28")], 16).await;
    let node = site.node("n1");
    // 13 addresses: three are used and released, the others were never used.
    let mut first = Vec::new();
    for name in ["a", "b", "c"] {
        first.push(node.give(name).await.address());
    }
    for name in ["b", "a", "c"] {
        node.release(name).await;
    }
    for n in 0..10 {
        let address = node.give(&format!("new-{n}")).await.address();
        assert!(!first.contains(&address), "{address} was used before");
    }
    let mut again = Vec::new();
    for n in 0..3 {
        again.push(node.give(&format!("again-{n}")).await.address());
    }
    assert_eq!(
        again,
        [first[1], first[0], first[2]],
        "the longest free comes first"
    );
}

pub(crate) async fn case_64_every_address_is_given_once_whosever_block_it_is_in(site: &Site) {
    // 61 + 5 addresses in five blocks, so that the nodes claim all of them and then borrow.
    site.pool(&[subnet("10.20.1.0/26"), subnet("10.20.2.0/29")], 16)
        .await;
    let nodes = ["n1", "n2", "n3"].map(|name| site.node(name));
    let mut given = BTreeSet::new();
    for n in 0..66 {
        let lease = nodes[n % 3].give(&format!("c{n}")).await;
        assert!(
            given.insert(lease.address()),
            "{} is given twice",
            lease.address()
        );
        assert!(
            lease.subnet().is_usable(lease.address()),
            "{}",
            lease.address()
        );
    }
    assert_eq!(site.holders().await.len(), 66);
    let before = site.content().await;
    for node in &nodes {
        let error = node
            .allocate(&node.ask("more"))
            .await
            .expect_err("nothing is left");
        assert_eq!(exhausted(&error), [(prod(), 66, 66)]);
    }
    assert_eq!(site.content().await, before);
    // The last one free is found by whoever asks, wherever it is.
    for n in [0, 31, 65] {
        nodes[n % 3].release(&format!("c{n}")).await;
        let lease = nodes[(n + 1) % 3].give(&format!("late-{n}")).await;
        assert_eq!(
            lease.record().previous[0].attachment,
            nodes[n % 3].id(&format!("c{n}"))
        );
    }
    assert_eq!(site.holders().await.len(), 66);
}

pub(crate) async fn a_pool_that_is_extended_gives_again(site: &Site) {
    site.pool(&[subnet("10.20.1.0/30")], 16).await;
    let node = site.node("n1");
    assert_eq!(node.give("a").await.address(), ip("10.20.1.2"));
    let full = node.allocate(&node.ask("b")).await.expect_err("full");
    assert_eq!(exhausted(&full), [(prod(), 1, 1)]);
    pools::extend(&site.open(), &prod(), &[subnet("10.20.9.0/30")])
        .await
        .expect("extend");
    let lease = node.give("b").await;
    assert_eq!(
        (lease.address(), lease.subnet()),
        (ip("10.20.9.2"), subnet("10.20.9.0/30"))
    );
    // An edit between two calls costs a retry, not the address.
    node.release("b").await;
    pools::extend(&site.open(), &prod(), &[subnet("10.20.10.0/30")])
        .await
        .expect("extend");
    node.give("c").await;
    node.give("d").await;
    assert_eq!(site.holders().await.len(), 3);
}

async fn set_state(site: &Site, state: PoolState) {
    let pool = pools::get(&site.open(), &prod()).await.expect("the pool");
    let record = PoolRecord {
        state,
        ..pool.record
    };
    site.write([Write::put(keys::pool(&prod()), record.encode())])
        .await;
}

pub(crate) async fn a_draining_pool_gives_nothing(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let [warm, cold] = ["n1", "n2"].map(|name| site.node(name));
    let held = warm.give("a").await;
    set_state(site, PoolState::Draining).await;
    for node in [&warm, &cold] {
        let mut exact = node.ask("b");
        exact.exact = vec![ip("10.20.1.77")];
        for request in [exact, node.ask("b")] {
            let error = node.allocate(&request).await.expect_err("it drains");
            let closed = PoolState::Draining;
            assert!(
                matches!(&error, IpamError::PoolClosed { pool, state } if (pool, *state) == (&prod(), closed)),
                "{error}"
            );
        }
    }
    assert_eq!(site.holders().await.len(), 1, "what is held stays held");
    warm.release("a").await;
    set_state(site, PoolState::Active).await;
    assert_ne!(warm.give("b").await.address(), held.address());
}

pub(crate) async fn a_closed_store_gives_nothing(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let [warm, cold] = ["n1", "n2"].map(|name| site.node(name));
    warm.give("a").await;
    site.write([Write::put(keys::CLOSED, "restored from a backup")])
        .await;
    for node in [&warm, &cold] {
        let mut exact = node.ask("b");
        exact.exact = vec![ip("10.20.1.77")];
        for request in [exact, node.ask("b")] {
            let error = node.allocate(&request).await.expect_err("it is closed");
            assert!(
                matches!(&error, IpamError::Closed { reason } if reason == "restored from a backup"),
                "{error}"
            );
        }
    }
    warm.release("a").await;
    site.write([Write::delete(keys::CLOSED)]).await;
    warm.give("b").await;
    cold.give("b").await;
}

pub(crate) async fn a_pool_that_is_not_there_is_named(site: &Site) {
    let node = site.node("n1");
    let gone = |result| matches!(result, Err(IpamError::NoSuchPool(name)) if name == prod());
    assert!(gone(node.allocate(&node.ask("a")).await));
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    node.give("a").await;
    node.release("a").await;
    pools::drain(&site.open(), &prod()).await.expect("drain");
    let pool = pools::get(&site.open(), &prod()).await.expect("the pool");
    pools::delete(&site.open(), &pool).await.expect("delete");
    assert!(gone(node.allocate(&node.ask("b")).await));
    let left: Vec<_> = site.content().await.into_keys().collect();
    assert_eq!(
        left,
        [keys::node(&node.ipam.node().name)],
        "whose the name is"
    );
}

pub(crate) async fn a_claim_that_was_refused_is_made_again(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    // Whatever the hint brings home of spare blocks, the pool changes before the first is claimed.
    let refused = node.ask("probe");
    node.rig.set(crate::support::rig::Mood::Catching);
    node.allocate(&refused)
        .await
        .expect_err("the claim is caught");
    node.rig.set(crate::support::rig::Mood::Good);
    pools::extend(&site.open(), &prod(), &[subnet("10.20.2.0/24")])
        .await
        .expect("extend");
    let lease = node.give("a").await;
    let size = pools::get(&site.open(), &prod())
        .await
        .expect("the pool")
        .record
        .block_size;
    let block = berth_types::Block::containing(lease.address(), size);
    let content = site.content().await;
    let key = keys::block(&prod(), block.first);
    let (value, _) = content
        .get(&key)
        .unwrap_or_else(|| panic!("{key} is not claimed"));
    assert_eq!(
        BlockRecord::decode(key, value)
            .expect("a record")
            .node
            .as_str(),
        "n1"
    );
}

pub(crate) async fn an_allocation_is_one_request_and_so_is_a_release(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    // The first looks around.
    let mut lease = node.give("first").await;
    node.rig.requests();
    // Beyond the first block, into the ones that the look brought home.
    for n in 0..40 {
        let next = node.give(&format!("c{n}")).await;
        assert_eq!(node.rig.requests(), 1, "container {n}");
        let holder = lease.record().holder.clone().expect("a holder");
        let released = node
            .ipam
            .release(&holder.attachment, Some(&known(&lease)), now())
            .await;
        assert!(
            matches!(released, Ok(Released::Freed { .. })),
            "{released:?}"
        );
        assert_eq!(node.rig.requests(), 1, "container {n}");
        lease = next;
    }
}

pub(crate) async fn a_pool_for_others_gives_nothing(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    node.give("a").await;
    let plain = pools::get(&site.open(), &prod()).await.expect("the pool");
    let restricted = [
        PoolRecord {
            namespaces: vec!["shop".parse().expect("a pattern")],
            ..plain.record.clone()
        },
        PoolRecord {
            nodes: vec!["rack-1-*".parse().expect("a pattern")],
            ..plain.record.clone()
        },
    ];
    for record in restricted {
        site.write([Write::put(keys::pool(&prod()), record.encode())])
            .await;
        let error = node.allocate(&node.ask("b")).await.expect_err("restricted");
        assert!(matches!(error, IpamError::NotAdmitted { .. }), "{error}");
    }
    site.write([Write::put(keys::pool(&prod()), plain.record.encode())])
        .await;
    node.give("b").await;
}
