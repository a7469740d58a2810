//! The whole story: the store is set back, the allocator of some node notices, and all come back.

use std::collections::BTreeSet;
use std::net::IpAddr;

use berth_ipam::closure::SetBack;
use berth_ipam::{IpamError, NoEvidence};
use berth_store::AnyStore;

use crate::site::{Node, Restore, Site, now};

/// What an ADD on the node is told.
async fn refused(node: &Node<AnyStore>, container: &str) -> IpamError {
    let request = node.ask(container);
    let answer = node.ipam.allocate(&request, &NoEvidence, now()).await;
    answer.expect_err("nobody may allocate")
}

/// Three nodes: one that allocated since the backup, one that is idle since, one that never was.
async fn restored(site: &mut Site, how: Restore) -> BTreeSet<IpAddr> {
    site.pool().await;
    let mut live = BTreeSet::new();
    for name in ["n1", "n2"] {
        live.insert(site.node(name).start("before").await);
    }
    site.back_up();
    live.insert(site.node("n1").start("busy").await);
    live.insert(site.node("n2").start("idle").await);
    site.restore(how).await;
    live
}

pub(crate) async fn who_allocates_first_after_a_restore_closes_the_store(site: &mut Site) {
    restored(site, Restore::Plain).await;
    let error = refused(&site.node("n1"), "next").await;
    assert!(matches!(error, IpamError::SetBack(_)), "{error}");
    for name in ["n1", "n2", "new"] {
        let error = refused(&site.node(name), "next").await;
        assert!(matches!(error, IpamError::Closed { .. }), "{name}: {error}");
    }
}

pub(crate) async fn also_when_the_revisions_were_bumped(site: &mut Site) {
    restored(site, Restore::Bumped).await;
    let error = refused(&site.node("n2"), "next").await;
    let IpamError::SetBack(how) = &error else {
        panic!("{error}")
    };
    // The embedded store tells its copies apart; etcd with the same peer URLs does not.
    match how {
        SetBack::Forgotten(witness) => assert_eq!(witness.attachment, site.node("n2").id("idle")),
        SetBack::Replaced { .. } => assert!(site.config_is_embedded()),
        other => panic!("{other}"),
    }
}

pub(crate) async fn a_claim_that_was_made_in_another_store_is_given_back(site: &mut Site) {
    site.pool().await;
    let node = site.node("n1");
    node.start("a").await;
    node.stop("a").await;
    site.back_up();
    drop(node);
    site.close().await;
    // The hint knows no live attachment, and every revision that it compares is still the same.
    site.restore_as("another-token", Restore::Bumped).await;
    let error = refused(&site.node("n1"), "b").await;
    assert!(
        matches!(error, IpamError::SetBack(SetBack::Replaced { .. })),
        "{error}"
    );
    assert!(site.holders().await.is_empty());
    let error = refused(&site.node("n2"), "c").await;
    assert!(matches!(error, IpamError::Closed { .. }), "{error}");
}

pub(crate) async fn when_all_have_republished_nothing_is_given_twice(site: &mut Site) {
    let live = restored(site, Restore::Bumped).await;
    refused(&site.node("n1"), "next").await;
    for name in ["n1", "n2"] {
        assert!(site.node(name).republish().await.answered, "{name}");
    }
    site.reopen().await;
    assert_eq!(
        site.holders().await.into_keys().collect::<BTreeSet<_>>(),
        live
    );
    let mut given = live.clone();
    for n in 0..40 {
        let node = site.node(["n1", "n2", "new"][n % 3]);
        assert!(
            given.insert(node.start(&format!("later-{n}")).await),
            "given twice"
        );
    }
    assert_eq!(site.holders().await.len(), live.len() + 40);
}

pub(crate) async fn a_dead_node_that_returns_is_refused_alone(site: &mut Site) {
    restored(site, Restore::Bumped).await;
    refused(&site.node("n1"), "next").await;
    assert!(site.node("n1").republish().await.answered);
    site.declare_dead("n2").await;
    site.reopen().await;
    let error = refused(&site.node("n2"), "next").await;
    assert!(matches!(error, IpamError::DeclaredDead(_)), "{error}");
    site.node("n1").start("later").await;
}
