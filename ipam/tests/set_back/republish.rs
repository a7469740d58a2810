//! Nodes write back what lives.

use std::collections::BTreeSet;
use std::fs::{self, File};

use berth_ipam::NoEvidence;
use berth_ipam::operator;
use berth_ipam::republish::{Obstacle, OnConflict, Proof, RepublishError, Scope, Unfinished};
use berth_store::{Read, Store as _, Txn, Write};
use berth_types::{AddressRecord, LocalAttachment, PoolName, Record as _, keys};
use nix::fcntl::{Flock, FlockArg};

use crate::flaky::Flaky;
use crate::site::{Restore, Site, ended, living, node_name, now};

pub(crate) async fn complaint_22_what_lives_is_written_back_and_nothing_is_given_twice(
    site: &mut Site,
) {
    site.pool().await;
    site.node("n1").start("before").await;
    site.node("n2").start("ends").await;
    site.back_up();
    // All of it is news to the backup, a whole node included.
    for n in 0..5 {
        site.node("n1").start(&format!("after-{n}")).await;
    }
    site.node("n2").stop("ends").await;
    site.node("n2").start("after").await;
    site.node("n3").start("joined").await;
    let lived = site.holders().await;
    site.restore(Restore::Plain).await;
    assert_ne!(site.holders().await, lived);
    site.close().await;
    for name in ["n1", "n2", "n3"] {
        let report = site.node(name).republish().await;
        assert!(report.answered, "{name}: {report:?}");
        assert_eq!(report.conflicts, [], "{name}");
        let again = site.node(name).republish().await;
        assert!(
            again.written.is_empty(),
            "{name}: a second run finds all of it"
        );
    }
    site.reopen().await;
    let mut expected = lived;
    let held = site.holders().await;
    expected.extend(
        held.iter()
            .filter(|(_, id)| id.container.as_str() == "ends")
            .map(|(address, id)| (*address, id.clone())),
    );
    assert_eq!(
        held, expected,
        "what ended since the backup is for upkeep to give back"
    );
    let fresh = site.node("n2").start("fresh").await;
    assert!(!held.contains_key(&fresh), "{fresh} was held");
}

pub(crate) async fn an_open_store_has_nothing_to_be_told(site: &mut Site) {
    site.pool().await;
    site.node("n1").start("a").await;
    let before = site.view().await.revision;
    let report = site.node("n1").republish().await;
    assert_eq!((report.closure, report.answered), (None, false));
    assert_eq!(site.view().await.revision, before);
}

/// An address that n2 had at the backup, and a container of n1's has since.
async fn passed_on(site: &mut Site) -> std::net::IpAddr {
    site.pool().await;
    let n2 = site.node("n2");
    let mut request = n2.ask("old");
    request.netns = Some(ended());
    let address = n2.start_as(&request).await;
    drop(n2);
    site.back_up();
    site.node("n2").stop("old").await;
    let n1 = site.node("n1");
    let mut request = n1.ask("new");
    request.exact = vec![address];
    n1.start_as(&request).await;
    drop(n1);
    site.restore(Restore::Plain).await;
    site.close().await;
    address
}

pub(crate) async fn an_address_given_to_another_is_told_and_left(site: &mut Site) {
    let address = passed_on(site).await;
    let report = site.node("n1").republish().await;
    assert!(!report.answered);
    let [conflict] = report.conflicts.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(conflict.address, address);
    let Obstacle::Held(holder) = &conflict.obstacle else {
        panic!("{conflict:?}")
    };
    assert_eq!(holder.attachment.node, node_name("n2"));
    assert_eq!(
        site.holders().await[&address],
        holder.attachment,
        "nothing is overwritten"
    );
    let theirs = site.node("n2").republish().await;
    assert!(theirs.answered);
    assert_eq!(theirs.stale[0].proof, Proof::Gone);
    let store = site.open();
    let shown = operator::look(&store, &[address].into())
        .await
        .expect("look");
    for release in operator::plan(&shown).releases {
        release.commit(&store, now()).await.expect("release");
    }
    let report = site.node("n1").republish().await;
    assert!(report.answered && report.conflicts.is_empty(), "{report:?}");
    assert_eq!(site.holders().await[&address], site.node("n1").id("new"));
}

pub(crate) async fn conflicts_may_be_left_to_the_operator(site: &mut Site) {
    passed_on(site).await;
    let report = site.node("n1").try_republish(OnConflict::Leave).await;
    let report = report.expect("republish");
    assert!(report.answered);
    assert_eq!(report.conflicts.len(), 1);
}

pub(crate) async fn what_ended_here_makes_way_for_what_lives(site: &mut Site) {
    site.pool().await;
    let node = site.node("n1");
    let mut request = node.ask("old");
    request.netns = Some(ended());
    let address = node.start_as(&request).await;
    drop(node);
    site.back_up();
    site.node("n1").stop("old").await;
    let node = site.node("n1");
    let mut request = node.ask("new");
    request.exact = vec![address];
    node.start_as(&request).await;
    drop(node);
    site.restore(Restore::Plain).await;
    site.close().await;
    let report = site.node("n1").republish().await;
    assert!(report.answered && report.conflicts.is_empty(), "{report:?}");
    assert_eq!(site.holders().await[&address], site.node("n1").id("new"));
    assert_eq!(site.view().await.nodes[&node_name("n1")].attachments, 1);
}

pub(crate) async fn a_lost_pool_is_asked_for(site: &mut Site) {
    site.back_up_empty().await;
    site.pool().await;
    site.node("n1").start("a").await;
    site.restore(Restore::Plain).await;
    site.close().await;
    let report = site.node("n1").republish().await;
    assert!(!report.answered);
    let pool: PoolName = "prod".parse().expect("a name");
    assert_eq!(report.conflicts[0].obstacle, Obstacle::NoPool(pool.clone()));
    site.pool_named("prod", "10.99.0.0/24").await;
    let report = site.node("n1").republish().await;
    assert_eq!(report.conflicts[0].obstacle, Obstacle::NotInPool(pool));
    let store = site.open();
    let key = format!("{}prod", keys::POOLS);
    crate::site::write(&store, vec![Write::delete(key)]).await;
    site.pool().await;
    assert!(site.node("n1").republish().await.answered);
}

fn intent(container: &str, netns: &berth_types::NetnsRef) -> Vec<u8> {
    let attachment = format!("n1/pods/{container}/eth0");
    let intent = serde_json::json!({
        "v": 1, "attachment": attachment, "incarnation": "0".repeat(32),
        "netns": { "path": netns.path, "inode": netns.inode }, "mac": null,
    });
    intent.to_string().into_bytes()
}

pub(crate) async fn a_killed_add_whose_namespace_lives_holds_the_answer_back(site: &mut Site) {
    site.close().await;
    let node = site.node("n1");
    fs::write(node.intent("gone"), intent("gone", &ended())).expect("write");
    fs::write(node.intent("empty"), "").expect("write");
    assert!(
        node.republish().await.answered,
        "no namespace, no interface"
    );
    fs::write(node.intent("killed"), intent("killed", &living())).expect("write");
    let report = node.republish().await;
    assert!(!report.answered);
    assert_eq!(report.unfinished, [Unfinished::Killed(node.id("killed"))]);
    fs::remove_file(node.intent("killed")).expect("the runtime's DEL");
    assert!(node.republish().await.answered);
}

pub(crate) async fn an_add_at_work_is_waited_for(site: &mut Site) {
    site.pool().await;
    site.back_up();
    let node = site.node("n1");
    let request = node.ask("slow");
    let lease = node
        .ipam
        .allocate(&request, &NoEvidence, now())
        .await
        .expect("a lease");
    drop(node);
    site.restore(Restore::Plain).await;
    site.close().await;
    let node = site.node("n1");
    let file = File::create(node.intent("slow")).expect("create");
    let lock = Flock::lock(file, FlockArg::LockExclusive).expect("lock");
    let ends = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        node.complete(&request, &lease);
        fs::remove_file(node.intent("slow")).expect("finish");
        drop(lock);
    };
    let (report, ()) = tokio::join!(node.republish(), ends);
    assert!(report.answered, "{report:?}");
    assert_eq!(report.written, [node.id("slow")].into());
}

pub(crate) async fn an_unreadable_record_holds_the_answer_back(site: &mut Site) {
    site.close().await;
    let node = site.node("n1");
    fs::write(node.record("bad"), "{").expect("write");
    let report = node.republish().await;
    assert!(
        !report.answered && report.unreadable[0].contains("bad-eth0.json"),
        "{report:?}"
    );
}

pub(crate) async fn releases_that_waited_are_made_first(site: &mut Site) {
    site.pool().await;
    site.node("n1").start("ended").await;
    site.back_up();
    let node = site.node("n1");
    let local = fs::read(node.record("ended")).expect("read");
    let local = LocalAttachment::decode("x", &local).expect("a record");
    // DEL with the store away: the note waits, the record is forgotten.
    let away = site.node_on("n1", Flaky::after(0, site.open()));
    away.ipam
        .store()
        .commit(&Txn::default())
        .await
        .expect_err("cut off");
    let known = berth_ipam::Known::of(&local);
    let waits = away
        .ipam
        .release_or_journal(&local.attachment, Some(&known), now());
    assert_eq!(waits.await.expect("noted"), None);
    fs::remove_file(node.record("ended")).expect("forget");
    drop((node, away));
    crate::site::write(&site.open(), vec![Write::put("/x", "")]).await;
    site.restore(Restore::Plain).await;
    site.close().await;
    let report = site.node("n1").republish().await;
    assert!(report.answered && report.stale.is_empty(), "{report:?}");
    assert!(site.holders().await.is_empty());
}

pub(crate) async fn it_may_be_cut_off_anywhere_and_run_again(site: &mut Site) {
    site.pool().await;
    site.back_up();
    for container in ["a", "b", "c"] {
        site.node("n1").start(container).await;
    }
    let lived = site.holders().await;
    let mut commits = 0;
    loop {
        site.restore(Restore::Plain).await;
        site.close().await;
        let node = site.node_on("n1", Flaky::after(commits, site.open()));
        let cut = node.try_republish(OnConflict::Stay).await;
        drop(node);
        let answered = cut.as_ref().is_ok_and(|report| report.answered);
        let missing = site.view().await.missing();
        assert!(answered || cut.is_err(), "{cut:?}");
        if !missing.is_empty() || site.view().await.nodes.is_empty() {
            assert!(
                !answered,
                "after {commits}: it says more than the store knows"
            );
        }
        let report = site.node("n1").republish().await;
        assert!(report.answered, "after {commits}: {report:?}");
        assert_eq!(site.holders().await, lived, "after {commits}");
        if answered {
            break;
        }
        commits += 1;
    }
    assert_eq!(commits, 4, "one transaction each, and the answer");
}

pub(crate) async fn a_store_opened_meanwhile_is_not_written_to(site: &mut Site) {
    site.pool().await;
    site.back_up();
    site.node("n1").start("a").await;
    for commits in [0, 1] {
        site.restore(Restore::Plain).await;
        site.close().await;
        let opens = Txn {
            writes: vec![Write::delete(keys::CLOSED)],
            ..Txn::default()
        };
        let store = Flaky::intruded_after(commits, opens, site.open());
        let stopped = site.node_on("n1", store);
        let stopped = stopped.try_republish(OnConflict::Stay).await;
        let stopped = matches!(stopped, Err(RepublishError::ClosureChanged));
        assert!(stopped, "before transaction {commits}");
        assert_eq!(site.holders().await.len(), commits);
    }
}

pub(crate) async fn what_changed_meanwhile_is_decided_anew(site: &mut Site) {
    site.pool().await;
    site.back_up();
    let address = site.node("n1").start("a").await;
    site.restore(Restore::Plain).await;
    site.close().await;
    // Somebody reserves it between reading and writing.
    let mut record = AddressRecord::unused("prod".parse().expect("a name"));
    record.reserved_for = Some("shop/workload/cart".parse().expect("an id"));
    let reserves = Txn {
        writes: vec![Write::put(keys::address(address), record.encode())],
        ..Txn::default()
    };
    let store = Flaky::intruded_after(0, reserves, site.open());
    let report = site.node_on("n1", store);
    let report = report.try_republish(OnConflict::Stay).await;
    assert!(report.expect("republish").answered);
    let read = [Read::Get(keys::address(address).into())];
    let answer = site.open().read(&read).await.expect("read");
    let merged = AddressRecord::decode("x", &answer.lists[0][0].value).expect("a record");
    assert_eq!(
        merged.reserved_for, record.reserved_for,
        "nothing is overwritten unseen"
    );
    assert_eq!(
        merged.holder.expect("a holder").attachment,
        site.node("n1").id("a")
    );
}

pub(crate) async fn an_idle_node_answers_and_forgets_what_it_believed(site: &mut Site) {
    site.pool().await;
    site.node("idle").start("a").await;
    site.back_up();
    site.node("busy").start("b").await;
    site.restore(Restore::Plain).await;
    site.close().await;
    site.node("busy").republish().await;
    let report = site.node("idle").republish().await;
    assert!(report.answered && report.written.is_empty(), "{report:?}");
    assert_eq!(report.standing.len(), 1);
    for name in ["idle", "busy"] {
        let hints = fs::read_dir(site.folder.path().join(name).join("hints"));
        let left: Vec<_> = hints.expect("the folder").collect();
        assert!(
            left.is_empty(),
            "{name}: it would find the store set back again: {left:?}"
        );
    }
    site.reopen().await;
    for name in ["idle", "busy"] {
        site.node(name).start("next").await;
    }
    assert_eq!(site.holders().await.len(), 4);
}

pub(crate) async fn another_networks_attachments_are_left_out(site: &mut Site) {
    site.pool().await;
    site.back_up();
    site.node("n1").start("a").await;
    site.restore(Restore::Plain).await;
    site.close().await;
    let node = site.node("n1");
    let networks = BTreeSet::from(["storage".parse().expect("a name")]);
    let scope = Scope {
        run_dir: &node.run,
        networks: &networks,
        on_conflict: OnConflict::Stay,
    };
    let report = node.ipam.republish(&scope, now()).await.expect("republish");
    assert!(report.answered && report.written.is_empty(), "{report:?}");
}

impl Site {
    /// A backup from before everything.
    async fn back_up_empty(&self) {
        crate::site::write(&self.open(), vec![Write::put("/x", "")]).await;
        self.back_up();
    }
}
