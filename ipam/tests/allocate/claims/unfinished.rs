//! An ADD that was killed: its transaction may have been made, may never be, or may still come.

use std::fs;
use std::path::Path;

use berth_ipam::{Drained, Released, Request};
use berth_store::{Outcome, Store as _, Txn, Write};
use berth_types::{AttachmentRecord, Phase, Record as _, keys};

use crate::support::rig::Mood;
use crate::support::{Node, OneAddress as _, Site, known, now, subnet};

/// An ADD whose process dies with its transaction number `after` on the way.
async fn killed(node: &Node, request: &Request, after: usize) -> Txn {
    node.rig.set_after(after, Mood::Catching);
    node.allocate(request).await.expect_err("the process died");
    node.rig.set(Mood::Good);
    let [late] = node
        .rig
        .caught()
        .try_into()
        .expect("one transaction is on its way");
    late
}

async fn delete(node: &Node, request: &Request) -> Released {
    let Request {
        attachment,
        incarnation,
        ..
    } = request;
    node.ipam
        .release_unfinished(
            attachment,
            incarnation,
            berth_ipam::Scope::Attachment,
            now(),
        )
        .await
        .expect("release")
}

async fn attachment(site: &Site, request: &Request) -> Option<AttachmentRecord> {
    let key = keys::attachment(&request.attachment);
    let content = site.content().await;
    let (value, _) = content.get(&key)?;
    Some(AttachmentRecord::decode(key, value).expect("a record"))
}

/// The note is one of an earlier boot.
fn make_due(note: &Path) {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("boot id");
    let text = fs::read_to_string(note).expect("the note");
    assert!(text.contains(boot_id.trim()), "{text}");
    fs::write(note, text.replace(boot_id.trim(), "another-boot")).expect("rewrite the note");
}

/// A late transaction must be refused; on a store where there is none, nothing is to be seen.
async fn must_take_nothing(site: &Site, late: &Txn) {
    if site.open().outlives_sender() {
        let outcome = site.open().commit(late).await.expect("an answer");
        assert!(
            matches!(outcome, Outcome::Refused(_)),
            "it came late and took: {outcome:?}"
        );
    }
    assert!(site.holders().await.is_empty());
}

pub(crate) async fn what_a_killed_add_took_is_freed(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let request = node.ask("a");
    let late = killed(&node, &request, 0).await;
    // It arrives before the DEL does.
    let outcome = site.open().commit(&late).await.expect("an answer");
    assert!(matches!(outcome, Outcome::Committed(_)));
    let released = delete(&node, &request).await;
    assert!(matches!(released, Released::Freed { .. }), "{released:?}");
    assert!(site.holders().await.is_empty());
    assert_eq!(
        attachment(site, &request).await,
        None,
        "nothing is in nobody's way"
    );
    assert_eq!(
        delete(&node, &request).await,
        Released::Nothing,
        "DEL comes twice"
    );
}

pub(crate) async fn a_transaction_that_comes_after_its_release_takes_nothing(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let request = node.ask("a");
    let late = killed(&node, &request, 0).await;
    assert_eq!(delete(&node, &request).await, Released::Nothing);
    let left = attachment(site, &request).await;
    if site.open().outlives_sender() {
        let record = left.expect("a record in its way");
        assert_eq!(
            (record.phase, record.incarnation),
            (Phase::Deleted, request.incarnation.clone())
        );
    } else {
        assert_eq!(left, None, "nothing can come");
        assert!(
            site.files("n1", "0.json").is_empty(),
            "nothing is left to be done"
        );
    }
    must_take_nothing(site, &late).await;
    delete(&node, &request).await;
    must_take_nothing(site, &late).await;
}

pub(crate) async fn nor_does_that_of_a_second_life(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    if !site.open().outlives_sender() {
        // Nothing is in a second life's way either: the first transaction is the last.
        let request = node.ask("a");
        killed(&node, &request, 0).await;
        assert_eq!(delete(&node, &request).await, Released::Nothing);
        return;
    }
    let first = node.ask("a");
    let late_first = killed(&node, &first, 0).await;
    delete(&node, &first).await;
    // The second life meets the record of the first, replaces it, and dies doing so.
    let second = node.ask("a");
    let late_second = killed(&node, &second, 1).await;
    delete(&node, &second).await;
    must_take_nothing(site, &late_second).await;
    must_take_nothing(site, &late_first).await;
}

pub(crate) async fn the_record_in_its_way_is_removed_when_it_is_due(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let request = node.ask("a");
    killed(&node, &request, 0).await;
    delete(&node, &request).await;
    let drained = node.ipam.drain(8, now()).await.expect("drain");
    if !site.open().outlives_sender() {
        assert_eq!(drained, Drained::default());
        return;
    }
    assert_eq!(
        drained,
        Drained {
            done: 0,
            waiting: 1
        },
        "a transaction may still come"
    );
    assert!(attachment(site, &request).await.is_some());
    // The machine was started anew: whatever was on its way is long dead.
    let [note] = site.files("n1", ".sweep.json").try_into().expect("a note");
    make_due(&note);
    let drained = node.ipam.drain(8, now()).await.expect("drain");
    assert_eq!(
        drained,
        Drained {
            done: 1,
            waiting: 0
        }
    );
    assert_eq!(attachment(site, &request).await, None);
}

pub(crate) async fn an_attachment_lives_again_over_that_record(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    for exact in [vec![], vec![crate::support::ip("10.20.1.77")]] {
        let mut request = node.ask("a");
        let late = killed(&node, &request, 0).await;
        delete(&node, &request).await;
        request = node.ask("a");
        request.exact = exact;
        let lease = node.allocate(&request).await.expect("an address");
        assert_eq!(site.holders().await.len(), 1);
        let outcome = site.open().commit(&late).await.expect("an answer");
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
        // What was to remove the record passes the new life by.
        node.ipam.drain(8, now()).await.expect("drain");
        assert_eq!(site.record(lease.address()).await, lease.record());
        node.ipam
            .release(&node.id("a"), Some(&known(&lease)), now())
            .await
            .expect("release");
        assert!(site.holders().await.is_empty());
    }
}

pub(crate) async fn and_also_when_it_is_removed_meanwhile(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let request = node.ask("a");
    killed(&node, &request, 0).await;
    delete(&node, &request).await;
    // Upkeep removes the record after the first attempt has seen it.
    let removal = Write::delete(keys::attachment(&request.attachment));
    node.rig.intrude_after(
        1,
        Txn {
            writes: vec![removal],
            ..Txn::default()
        },
    );
    let lease = node.give("a").await;
    assert_eq!(
        site.holders().await.into_keys().collect::<Vec<_>>(),
        [lease.address()]
    );
}

pub(crate) async fn a_claim_that_the_next_add_forgot_takes_nothing(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let first = node.ask("a");
    let late = killed(&node, &first, 0).await;
    let (id, life) = (&first.attachment, &first.incarnation);
    for _ in 0..2 {
        node.ipam.expect_late(id, life, now()).expect("note");
    }
    let lease = node.give("a").await;
    node.ipam
        .release(id, Some(&known(&lease)), now())
        .await
        .expect("release");
    must_take_nothing(site, &late).await;
    let notes = site.files("n1", ".sweep.json");
    if !site.open().outlives_sender() {
        assert!(notes.is_empty(), "nothing can come");
        assert_eq!(attachment(site, &first).await, None);
        return;
    }
    let [note] = notes
        .try_into()
        .expect("one note, however often it is expected");
    // Another killed life has to be waited for as well.
    let second = node.ask("a");
    node.ipam
        .expect_late(id, &second.incarnation, now())
        .expect("note");
    make_due(&note);
    let drained = node.ipam.drain(8, now()).await.expect("drain");
    assert_eq!((drained.done, drained.waiting), (1, 1));
    assert!(attachment(site, &first).await.is_some());
    let [note] = site.files("n1", ".sweep.json").try_into().expect("a note");
    make_due(&note);
    let drained = node.ipam.drain(8, now()).await.expect("drain");
    assert_eq!((drained.done, drained.waiting), (1, 0));
    assert_eq!(attachment(site, &first).await, None);
}
