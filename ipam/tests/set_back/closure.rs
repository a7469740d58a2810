//! Closing and opening.

use berth_ipam::NoEvidence;
use berth_ipam::closure::{self, Closing, ClosureError, NodeState, Notice};
use berth_ipam::node::{Standing, judge};
use berth_ipam::republish::OnConflict;

use crate::flaky::Flaky;
use crate::site::{Restore, Site, nobody, node_name, now, random};

/// Two nodes with a container each, backed up, restored and closed.
async fn set_back(site: &mut Site) {
    site.pool().await;
    for name in ["n1", "n2"] {
        site.node(name).start("a").await;
    }
    site.back_up();
    site.node("n1").start("b").await;
    site.restore(Restore::Plain).await;
    site.close().await;
}

pub(crate) async fn a_closed_store_gives_nothing_to_anybody(site: &mut Site) {
    set_back(site).await;
    let before = site.holders().await;
    // n1 has seen it newer; n2 is idle since the backup; n3 has never been there.
    for name in ["n2", "n3"] {
        site.node(name).is_refused("x").await;
    }
    let refused = site.node("n1");
    let refused = refused
        .ipam
        .allocate(&refused.ask("x"), &NoEvidence, now())
        .await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(site.holders().await, before);
}

pub(crate) async fn the_first_closure_stands(site: &mut Site) {
    let first = site.close().await;
    let notice = Notice {
        reason: "noticed later".into(),
        noticed_by: Some(node_name("n1")),
    };
    let again = closure::close(&site.open(), &notice, random(), now()).await;
    match again.expect("an answer") {
        Closing::Standing(_, standing) => assert_eq!(standing, first),
        Closing::Closed(..) => panic!("it was closed already"),
    }
}

pub(crate) async fn a_store_opens_when_every_node_has_answered(site: &mut Site) {
    set_back(site).await;
    let missing = [node_name("n1"), node_name("n2")];
    assert_eq!(site.view().await.missing(), missing);
    let refused = closure::opening(&site.view().await);
    assert!(matches!(&refused, Err(ClosureError::Missing(names)) if *names == missing));
    assert!(site.node("n1").republish().await.answered);
    assert_eq!(site.view().await.missing(), missing[1..]);
    assert!(site.node("n2").republish().await.answered);
    site.reopen().await;
    let view = site.view().await;
    let opened = closure::opening(&view);
    assert!(matches!(opened, Err(ClosureError::NotClosed)), "{opened:?}");
    site.node("n1").start("c").await;
}

pub(crate) async fn a_node_that_appears_stops_the_opening(site: &mut Site) {
    set_back(site).await;
    site.node("n1").republish().await;
    site.node("n2").republish().await;
    let opening = closure::opening(&site.view().await).expect("it may be opened");
    // Unknown to the backup, and half-way to its answer.
    let half = site.node_on("n3", Flaky::after(1, site.open()));
    half.start_unrecorded("a", "10.20.1.77");
    half.start_unrecorded("b", "10.20.1.78");
    half.try_republish(OnConflict::Stay)
        .await
        .expect_err("cut off");
    let opened = opening.commit(&site.open()).await;
    assert!(matches!(opened, Err(ClosureError::Changed)), "{opened:?}");
    let seen = site.view().await;
    assert_eq!(seen.missing(), [node_name("n3")]);
    site.node("n3").republish().await;
    let opening = closure::opening(&site.view().await).expect("it may be opened");
    site.node("n4").republish().await;
    let opened = opening.commit(&site.open()).await;
    assert!(matches!(opened, Err(ClosureError::Changed)), "{opened:?}");
    site.reopen().await;
}

pub(crate) async fn a_dead_node_is_not_waited_for(site: &mut Site) {
    set_back(site).await;
    site.node("n1").republish().await;
    let (store, n2) = (site.open(), node_name("n2"));
    let view = site.view().await;
    let unknown = closure::declare_dead(&view, &node_name("n9"), &nobody());
    assert!(
        matches!(unknown, Err(ClosureError::NoSuchNode(_))),
        "{unknown:?}"
    );
    let death = closure::declare_dead(&view, &n2, &nobody()).expect("it is known");
    assert_eq!(death.attachments, 1);
    death.commit(&store).await.expect("it is written");
    let again = death.commit(&store).await;
    assert!(
        matches!(again, Err(ClosureError::Changed)),
        "what was shown is gone"
    );
    let view = site.view().await;
    assert_eq!(view.state(&view.nodes[&n2]), NodeState::Dead);
    assert_eq!(
        site.holders().await.len(),
        3,
        "a dead node's addresses stay held"
    );
    site.reopen().await;
}

pub(crate) async fn a_dead_node_that_comes_back_is_known_and_republishes(site: &mut Site) {
    set_back(site).await;
    site.node("n2").start_unrecorded("late", "10.20.1.77");
    site.node("n1").republish().await;
    site.node("n2").republish().await;
    // Its answer stands for less than what lives: it was buried after that.
    let (store, n2) = (site.open(), node_name("n2"));
    let death = closure::declare_dead(&site.view().await, &n2, &nobody());
    death
        .expect("known")
        .commit(&store)
        .await
        .expect("it is written");
    site.reopen().await;
    let back = site.node("n2");
    let record = site.view().await.nodes[&n2]
        .record
        .clone()
        .expect("a record");
    let record = record.1.expect("a readable one");
    let standing = judge(Some(&record), back.ipam.node());
    assert!(
        matches!(standing, Standing::DeclaredDead(_)),
        "{standing:?}"
    );
    back.start_unrecorded("later", "10.20.1.78");
    let report = back.republish().await;
    assert!(report.answered, "although the store is open: {report:?}");
    assert_eq!(report.written, [back.id("later")].into());
    let record = site.view().await.nodes[&n2]
        .record
        .clone()
        .expect("a record");
    let record = record.1.expect("a readable one");
    assert_eq!(judge(Some(&record), back.ipam.node()), Standing::Ours);
    assert_eq!(back.republish().await.closure, None, "that was all");
}

pub(crate) async fn answers_to_an_earlier_closure_do_not_count(site: &mut Site) {
    set_back(site).await;
    site.node("n1").republish().await;
    site.node("n2").republish().await;
    site.reopen().await;
    site.close().await;
    assert_eq!(site.view().await.missing().len(), 2);
}
