//! Records that are malformed, or that a later release wrote, are left alone byte for byte.

use std::collections::BTreeSet;

use berth_ipam::IpamError;
use berth_store::Write;
use berth_types::{Block, BlockSize, keys};

use crate::support::{OneAddress as _, Site, exhausted, ip, known, now, prod, subnet};

const BAD: [&str; 3] = [
    "",
    "{\"v\":1,\"pool\":7}",
    "{\"v\":2,\"pool\":\"prod\",\"color\":\"red\"}",
];

pub(crate) async fn addresses_that_cannot_be_read_are_left_alone(site: &Site) {
    // .2 to .6, three of them spoilt.
    site.pool(&[subnet("10.20.1.0/29")], 4).await;
    let spoilt = ["10.20.1.2", "10.20.1.4", "10.20.1.6"].map(ip);
    let puts = spoilt
        .iter()
        .zip(BAD)
        .map(|(address, bad)| Write::put(keys::address(*address), bad));
    site.write(puts.collect::<Vec<_>>()).await;
    let before = site.content().await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    let given: BTreeSet<_> = [one.give("a").await.address(), two.give("b").await.address()].into();
    assert_eq!(given, [ip("10.20.1.3"), ip("10.20.1.5")].into());
    for node in [&one, &two] {
        let error = node
            .allocate(&node.ask("c"))
            .await
            .expect_err("nothing is left");
        assert_eq!(exhausted(&error), [(prod(), 5, 5)]);
        for address in spoilt {
            let mut request = node.ask("c");
            request.exact = vec![address];
            let error = node
                .allocate(&request)
                .await
                .expect_err("it cannot be read");
            assert!(matches!(error, IpamError::Record(_)), "{error}");
        }
    }
    let after = site.content().await;
    for address in spoilt {
        let key = keys::address(address);
        assert_eq!(after[&key], before[&key], "{key}");
    }
}

pub(crate) async fn an_attachment_that_cannot_be_read_is_left_alone(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    node.give("before").await;
    for (n, bad) in BAD.into_iter().enumerate() {
        let request = node.ask(&format!("c{n}"));
        site.write([Write::put(keys::attachment(&request.attachment), bad)])
            .await;
        let before = site.content().await;
        let error = node
            .allocate(&request)
            .await
            .expect_err("it cannot be read");
        assert!(matches!(error, IpamError::Record(_)), "{error}");
        let release = node.ipam.release(&request.attachment, None, now()).await;
        assert!(matches!(release, Err(IpamError::Record(_))), "{release:?}");
        assert_eq!(site.content().await, before);
    }
    node.give("after").await;
}

pub(crate) async fn a_block_that_cannot_be_read_is_somebody_elses(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let lease = node.give("first").await;
    // Its own block's record is spoilt, and so that the hint is of no use, the next address taken.
    let block = Block::containing(lease.address(), BlockSize::default());
    let key = keys::block(&prod(), block.first);
    site.write([Write::put(key.as_str(), BAD[2])]).await;
    let other = site.node("n2");
    for address in block.addresses() {
        let mut request = other.ask(&format!("x-{address}"));
        request.exact = vec![address];
        // Network address, gateway and the one held are refused.
        drop(other.allocate(&request).await);
    }
    for n in 0..4 {
        let lease = node.give(&format!("c{n}")).await;
        assert_ne!(
            Block::containing(lease.address(), BlockSize::default()),
            block
        );
    }
    assert_eq!(site.content().await[&key].0, BAD[2].as_bytes());
    site.holders().await;
}

pub(crate) async fn a_release_leaves_alone_what_cannot_be_read(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    for (n, bad) in BAD.into_iter().enumerate() {
        let container = format!("c{n}");
        let lease = node.give(&container).await;
        site.write([Write::put(keys::address(lease.address()), bad)])
            .await;
        let before = site.content().await;
        let id = node.id(&container);
        for memory in [None, Some(known(&lease))] {
            let error = node.ipam.release(&id, memory.as_ref(), now()).await;
            assert!(matches!(error, Err(IpamError::Record(_))), "{error:?}");
        }
        assert_eq!(site.content().await, before);
    }
}
