//! What a candidate's transaction does, and what it leaves alone.

use std::net::IpAddr;

use berth_ipam::reclaim::{Allocations, Committed, Monotonic, Observations, Skipped, Verdict};
use berth_store::{StoreError, Write};
use berth_types::{
    AddressRecord, AttachmentId, AttachmentRecord, ClosedRecord, ClosureId, Record as _,
    SchemaVersion, WantedRecord, keys,
};

use crate::observer::{LATER, Word, commit, decided, only, settled};
use crate::support::rig::Mood;
use crate::support::{Node, Site, now, random, subnet};

const CHANGED: Committed = Committed::Skipped(Skipped::Changed);

pub(crate) async fn what_is_leaked_is_freed_in_one_request_and_what_lives_is_not(site: &Site) {
    let node = two(site).await;
    let (a, b) = (
        address(site, &node, "a").await,
        address(site, &node, "b").await,
    );
    let candidate = only(site, &Word::Own(&node, &["b"])).await;
    node.rig.requests();
    let committed = commit(&candidate, &node.rig).await;
    assert!(matches!(committed, Committed::Freed(_)));
    assert_eq!(node.rig.requests(), 1);
    let holders = site.holders().await;
    assert_eq!(holders.into_iter().collect::<Vec<_>>(), [(b, node.id("b"))]);
    let record = site.record(a).await;
    assert_eq!((record.holder, record.unproven), (None, false));
    assert_eq!(record.released_at, Some(now()));
    assert_eq!(record.previous[0].attachment, node.id("a"));
}

pub(crate) async fn evidence_from_outside_leaves_a_mark(site: &Site) {
    let node = one(site).await;
    let a = address(site, &node, "a").await;
    let candidate = only(site, &Word::Dead("n1")).await;
    let committed = commit(&candidate, &site.open()).await;
    assert!(matches!(committed, Committed::Freed(_)));
    let record = site.record(a).await;
    assert_eq!((record.holder, record.unproven), (None, true));
}

pub(crate) async fn a_reservation_stands_and_a_wish_is_granted(site: &Site) {
    let node = one(site).await;
    let a = address(site, &node, "a").await;
    let kept_for = "shop/pod/cart-0/eth0".parse().expect("a reservation");
    let wish = WantedRecord {
        v: SchemaVersion,
        attachment: "n2/pods/b/eth0".parse().expect("an id"),
        pod: None,
        holder: node.id("a"),
        since: now(),
    };
    let reserved = AddressRecord {
        reserved_for: Some(kept_for),
        ..site.record(a).await
    };
    let wish = Write::put(keys::wanted(a), wish.encode());
    site.write([put(a, &reserved), wish]).await;
    let candidate = only(site, &Word::Own(&node, &[])).await;
    commit(&candidate, &site.open()).await;
    let record = site.record(a).await;
    assert_eq!(record.holder, None);
    assert_eq!(record.reserved_for, reserved.reserved_for);
    assert!(!site.content().await.contains_key(&keys::wanted(a)));
}

pub(crate) async fn an_attachment_keeps_the_address_that_is_not_freed(site: &Site) {
    let node = one(site).await;
    let a = address(site, &node, "a").await;
    let second: IpAddr = "2001:db8::5".parse().expect("an address");
    let mut attached = attachment(site, &node.id("a")).await;
    attached.addresses.push(second);
    let record = site.record(a).await;
    // A record that nobody can read decides nothing about its sibling.
    let id = keys::attachment(&node.id("a"));
    let unreadable = Write::put(keys::address(second), "{\"v\":9}");
    site.write([
        put(a, &record),
        Write::put(id, attached.encode()),
        unreadable,
    ])
    .await;
    let candidate = only(site, &Word::Own(&node, &[])).await;
    commit(&candidate, &site.open()).await;
    assert_eq!(site.record(a).await.holder, None);
    let left = attachment(site, &node.id("a")).await;
    assert_eq!(left.addresses, [second]);
}

pub(crate) async fn a_new_life_keeps_its_address(site: &Site) {
    let node = one(site).await;
    let candidate = only(site, &Word::Own(&node, &[])).await;
    node.give("a").await;
    let before = site.content().await;
    assert_eq!(commit(&candidate, &site.open()).await, CHANGED);
    assert_eq!(site.content().await, before);
}

pub(crate) async fn a_release_is_not_made_twice(site: &Site) {
    let node = one(site).await;
    let candidate = only(site, &Word::Own(&node, &[])).await;
    node.release("a").await;
    let before = site.content().await;
    assert_eq!(commit(&candidate, &site.open()).await, CHANGED);
    assert_eq!(site.content().await, before);
}

pub(crate) async fn what_an_operator_took_away_is_left_alone(site: &Site) {
    let node = one(site).await;
    let a = address(site, &node, "a").await;
    let candidate = only(site, &Word::Own(&node, &[])).await;
    let freed = site.record(a).await.released(now());
    let removed = Write::delete(keys::attachment(&node.id("a")));
    site.write([put(a, &freed), removed]).await;
    let before = site.content().await;
    assert_eq!(commit(&candidate, &site.open()).await, CHANGED);
    assert_eq!(site.content().await, before);
}

pub(crate) async fn each_record_is_compared_by_itself(site: &Site) {
    let node = one(site).await;
    let a = address(site, &node, "a").await;
    let attached = attachment(site, &node.id("a")).await;
    let reserved = AddressRecord {
        reserved_for: Some("shop/workload/cart".parse().expect("a reservation")),
        ..site.record(a).await
    };
    let id = keys::attachment(&node.id("a"));
    for write in [put(a, &reserved), Write::put(id, attached.encode())] {
        let candidate = only(site, &Word::Own(&node, &[])).await;
        site.write([write]).await;
        let before = site.content().await;
        assert_eq!(commit(&candidate, &site.open()).await, CHANGED);
        assert_eq!(site.content().await, before);
    }
}

pub(crate) async fn a_store_that_was_closed_meanwhile_frees_nothing(site: &Site) {
    let node = one(site).await;
    let candidate = only(site, &Word::Own(&node, &[])).await;
    let closed = ClosedRecord {
        v: SchemaVersion,
        id: ClosureId::from_random(random()),
        reason: "restored".into(),
        noticed_by: None,
        since: now(),
    };
    site.write([Write::put(keys::CLOSED, closed.encode())])
        .await;
    assert_eq!(commit(&candidate, &site.open()).await, CHANGED);
    assert_eq!(site.holders().await.len(), 1);
}

pub(crate) async fn old_evidence_frees_nothing(site: &Site) {
    let node = one(site).await;
    let candidate = only(site, &Word::Own(&node, &[])).await;
    let too_old = Committed::Skipped(Skipped::TooOld);
    for at in [LATER.0 + 120_001, LATER.0 - 1] {
        let committed = candidate.commit(&site.open(), Monotonic(at), now()).await;
        assert_eq!(committed.expect("an answer"), too_old);
    }
    assert_eq!(site.holders().await.len(), 1);
}

pub(crate) async fn what_changed_is_skipped_and_the_rest_freed(site: &Site) {
    let node = two(site).await;
    let decision = settled(site, &Word::Own(&node, &[])).await;
    node.give("a").await;
    let mut ended = Vec::new();
    for candidate in &decision.candidates {
        ended.push(commit(candidate, &site.open()).await);
    }
    assert!(
        matches!(ended[..], [CHANGED, Committed::Freed(_)]),
        "{ended:?}"
    );
    let left: Vec<_> = site.holders().await.into_values().collect();
    assert_eq!(left, [node.id("a")]);
}

pub(crate) async fn of_two_observers_one_frees(site: &Site) {
    let node = one(site).await;
    let word = Word::Own(&node, &[]);
    let [one, two] = [only(site, &word).await, only(site, &word).await];
    let (first, second) = (site.open(), site.open());
    let ended = tokio::join!(commit(&one, &first), commit(&two, &second));
    let freed = |committed: Committed| usize::from(matches!(committed, Committed::Freed(_)));
    assert_eq!(freed(ended.0) + freed(ended.1), 1, "{ended:?}");
    assert!(site.holders().await.is_empty());
}

pub(crate) async fn a_lost_answer_is_seen_by_the_next_pass(site: &Site) {
    let node = one(site).await;
    let word = Word::Own(&node, &[]);
    let candidate = only(site, &word).await;
    node.rig.set(Mood::Losing(1));
    let error = candidate.commit(&node.rig, LATER, now()).await;
    assert!(matches!(error, Err(StoreError::OutcomeUnknown { .. })));
    assert!(site.holders().await.is_empty());
    assert!(settled(site, &word).await.verdicts.is_empty());
}

pub(crate) async fn a_node_reads_what_it_needs(site: &Site) {
    let node = two(site).await;
    site.node("n2").give("c").await;
    let store = site.open();
    let look = |allocations: &Allocations| {
        let kept = Observations::none("n1", "boot");
        let word = Word::Own(&node, &["a"]);
        decided(allocations, &word, &kept, LATER).verdicts
    };
    let all = Allocations::read(&store, || LATER).await.expect("read");
    let name = &node.ipam.node().name;
    let own = Allocations::read_node(&store, name, || LATER).await;
    let of_node = |verdict: &Verdict| {
        let attachment = verdict.attachment.as_ref();
        attachment.is_some_and(|id| id.node == *name)
    };
    let mut expected = look(&all);
    assert_eq!(expected.len(), 3);
    expected.retain(of_node);
    assert_eq!(look(&own.expect("read")), expected);
}

/// A pool, and container `a` on `n1` with an address of it.
async fn one(site: &Site) -> Node {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    node.give("a").await;
    node
}

/// As [`one`], and container `b`.
async fn two(site: &Site) -> Node {
    let node = one(site).await;
    node.give("b").await;
    node
}

/// The address of a container that has one.
async fn address(site: &Site, node: &Node, container: &str) -> IpAddr {
    let holders = site.holders().await;
    let mut of = holders.iter().filter(|(_, id)| **id == node.id(container));
    *of.next().expect("it holds an address").0
}

async fn attachment(site: &Site, id: &AttachmentId) -> AttachmentRecord {
    let key = keys::attachment(id);
    let content = site.content().await;
    AttachmentRecord::decode(&key, &content[&key].0).expect("a record")
}

fn put(address: IpAddr, record: &AddressRecord) -> Write {
    Write::put(keys::address(address), record.encode())
}
