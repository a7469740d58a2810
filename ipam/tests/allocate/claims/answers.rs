//! Transactions whose answer is lost.

use berth_ipam::{IpamError, Released};
use berth_store::StoreError;

use crate::support::rig::Mood;
use crate::support::{OneAddress as _, Site, known, now, subnet};

pub(crate) async fn a_lost_answer_is_asked_for_again(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    for lost in [1, 2, 4] {
        node.rig.set(Mood::Losing(lost));
        let request = node.ask(&format!("c{lost}"));
        let lease = node.allocate(&request).await.expect("an address");
        node.rig.set(Mood::Good);
        let holder = lease.record().holder.clone().expect("a holder");
        assert_eq!(
            (holder.attachment, holder.incarnation),
            (request.attachment, request.incarnation)
        );
        assert_eq!(lease.record(), site.record(lease.address()).await);
        let holders = site.holders().await;
        assert_eq!(holders.len(), 1, "exactly one address is held: {holders:?}");

        // A release is not repeated but noted, and found made when the note is worked off.
        node.rig.set(Mood::Losing(lost));
        let id = node.id(&format!("c{lost}"));
        let released = node
            .ipam
            .release_or_journal(&id, Some(&known(&lease)), now())
            .await;
        assert_eq!(released.expect("journal"), None);
        node.rig.set(Mood::Good);
        node.ipam.drain(8, now()).await.expect("drain");
        assert!(site.holders().await.is_empty());
        assert_eq!(
            site.record(lease.address()).await.previous.len(),
            1,
            "released once"
        );
    }
}

pub(crate) async fn answers_that_stay_lost_are_told_and_a_release_frees_what_was_taken(
    site: &Site,
) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let request = node.ask("a");
    node.rig.set(Mood::Losing(usize::MAX));
    let error = node.allocate(&request).await.expect_err("no answer");
    assert!(
        matches!(error, IpamError::Store(StoreError::OutcomeUnknown { .. })),
        "{error}"
    );
    node.rig.set(Mood::Good);
    assert_eq!(site.holders().await.len(), 1, "it was made all the same");
    let released = node.ipam.release_unfinished(
        &request.attachment,
        &request.incarnation,
        berth_ipam::Scope::Attachment,
        now(),
    );
    assert!(matches!(
        released.await.expect("release"),
        Released::Freed { .. }
    ));
    assert!(site.holders().await.is_empty());
}

pub(crate) async fn after_a_lost_answer_every_error_is_an_unknown_outcome(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    node.rig.set(Mood::Souring);
    let error = node.allocate(&node.ask("a")).await.expect_err("no answer");
    assert!(
        matches!(error, IpamError::Store(StoreError::OutcomeUnknown { .. })),
        "{error}"
    );
    assert_eq!(site.holders().await.len(), 1, "it was made all the same");
}

pub(crate) async fn a_lost_answer_takes_no_address_from_a_container_that_is_started_again(
    site: &Site,
) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let before = node.give("a").await;
    // The first commit finds the earlier life, the second passes its address on.
    node.rig.set_after(1, Mood::Losing(1));
    let after = node.give("a").await;
    node.rig.set(Mood::Good);
    assert_eq!(after.address(), before.address());
    let record = site.record(after.address()).await;
    assert_eq!(record, after.record());
    let lives = record.previous.len();
    assert_eq!(lives, 1, "the first life's end alone: {record:?}");
}

pub(crate) async fn a_container_id_that_another_pod_uses_again_leaves_history(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let request = |name: &str| node.ask_for("a", crate::support::cast::pod(name, "u"));
    let before = node.allocate(&request("cart")).await.expect("an address");
    let after = node.allocate(&request("till")).await.expect("an address");
    assert_eq!(after.address(), before.address());
    let [previous] = &after.record().previous[..] else {
        panic!("one: {after:?}")
    };
    assert_eq!(previous.pod, request("cart").pod);
}
