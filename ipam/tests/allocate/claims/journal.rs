//! Releases while the store is away.

use std::fs;
use std::thread;

use berth_ipam::{Drained, Ipam, IpamError, Known};
use berth_store::{EtcdConfig, StoreConfig, Write};
use berth_types::{Record as _, keys};

use crate::support::rig::Mood;
use crate::support::{Node, OneAddress as _, Site, block_on, known, now, subnet};

/// Gives an address to each container, and has its release journalled.
async fn journal(node: &Node, containers: &[&str]) -> Vec<(String, Known)> {
    let mut notes = Vec::new();
    for container in containers {
        let lease = node.give(container).await;
        notes.push(((*container).to_owned(), known(&lease)));
    }
    node.rig.set(Mood::Away);
    for (container, known) in &notes {
        let released = node
            .ipam
            .release_or_journal(&node.id(container), Some(known), now())
            .await;
        assert_eq!(released.expect("journal"), None, "the store is away");
    }
    notes
}

pub(crate) async fn releases_wait_for_the_store_and_are_made_in_order(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let notes = journal(&node, &["a", "b", "c", "d", "e"]).await;
    assert_eq!(site.holders().await.len(), 5);
    let away = node
        .allocate(&node.ask("x"))
        .await
        .expect_err("the store is away");
    assert!(
        matches!(away, IpamError::Store(_)) && away.is_transient(),
        "{away}"
    );
    node.ipam
        .drain(8, now())
        .await
        .expect_err("the store is away");
    assert_eq!(
        site.files("n1", ".json")
            .iter()
            .filter(|p| p.to_string_lossy().contains("journal"))
            .count(),
        5
    );

    node.rig.set(Mood::Good);
    let drained = node.ipam.drain(2, now()).await.expect("drain");
    assert_eq!(
        drained,
        Drained {
            done: 2,
            waiting: 0
        }
    );
    assert_eq!(site.holders().await.len(), 3, "no more than was asked for");
    let drained = node.ipam.drain(8, now()).await.expect("drain");
    assert_eq!(
        drained,
        Drained {
            done: 3,
            waiting: 0
        }
    );
    assert!(site.holders().await.is_empty());
    let content = site.content().await;
    let revisions = notes
        .iter()
        .map(|(_, known)| content[&keys::address(known.addresses[0].0)].1);
    let revisions: Vec<_> = revisions.collect();
    assert!(revisions.is_sorted(), "oldest first: {revisions:?}");
    assert_eq!(
        node.ipam.drain(8, now()).await.expect("drain"),
        Drained::default()
    );
}

pub(crate) async fn a_full_journal_takes_no_more(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    journal(&node, &["a"]).await;
    let [note] = site.files("n1", "0.json").try_into().expect("one note");
    let folder = note.parent().expect("the journal");
    for n in 0..4095 {
        fs::write(folder.join(format!("{n:030}.json")), "{}").expect("fill the journal");
    }
    let full = node
        .ipam
        .release_or_journal(&node.id("b"), None, now())
        .await;
    assert!(
        matches!(full, Err(IpamError::JournalFull { count: 4096 })),
        "{full:?}"
    );
    node.rig.set(Mood::Good);
    node.ipam.drain(8, now()).await.expect("drain");
    assert!(site.holders().await.is_empty(), "what can be read is made");
}

pub(crate) async fn a_release_that_waits_is_not_made_when_its_attachment_lives_again(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let notes = journal(&node, &["web", "other"]).await;
    let id = node.id("web");
    // Also the kinds of release that name no life.
    for memory in [
        None,
        Some(&Known::unfinished(notes[0].1.incarnation.clone())),
    ] {
        let released = node.ipam.release_or_journal(&id, memory, now()).await;
        assert_eq!(released.expect("journal"), None);
    }
    // An ADD that fails keeps the notes.
    node.allocate(&node.ask("web"))
        .await
        .expect_err("the store is away");
    assert_eq!(
        site.files("n1", "0.json").len()
            + site.files("n1", "1.json").len()
            + site.files("n1", "2.json").len()
            + site.files("n1", "3.json").len(),
        4
    );
    node.rig.set(Mood::Good);
    let again = node.give("web").await;
    assert_eq!(
        again.address(),
        notes[0].1.addresses[0].0,
        "it keeps its address"
    );
    let drained = node.ipam.drain(8, now()).await.expect("drain");
    assert_eq!(drained.done, 1, "only the other one's");
    let holders = site.holders().await;
    assert_eq!(
        holders.into_iter().collect::<Vec<_>>(),
        [(again.address(), id)]
    );
    assert_eq!(site.record(again.address()).await, again.record());
}

pub(crate) async fn a_release_that_waits_is_not_made_while_somebody_drains(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    for round in 0..12 {
        let name = format!("web-{round}");
        let note = journal(&node, &[&name]).await.remove(0).1;
        node.rig.set(Mood::Good);
        // Each on a thread and with a store of its own, as processes are.
        let [drainer, runtime] = [site.node("n1"), site.node("n1")];
        let lease = thread::scope(|scope| {
            let draining = scope.spawn(|| block_on(drainer.ipam.drain(8, now())).expect("drain"));
            let giving = scope.spawn(|| block_on(runtime.give(&name)));
            draining.join().expect("drain");
            giving.join().expect("give")
        });
        node.ipam.drain(8, now()).await.expect("drain");
        let record = site.record(lease.address()).await;
        assert_eq!(
            record,
            lease.record(),
            "round {round}: it lives, so it holds"
        );
        let freed_first = record
            .previous
            .first()
            .is_some_and(|p| p.attachment == node.id(&name));
        let kept = lease.address() == note.addresses[0].0;
        // Drained before it lived again, or kept; never taken away afterwards.
        assert!(kept || !freed_first, "round {round}");
        node.release(&name).await;
        assert!(site.holders().await.is_empty(), "round {round}");
    }
}

pub(crate) async fn a_release_that_cannot_be_made_does_not_hold_up_the_others(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let notes = journal(&node, &["a", "b"]).await;
    node.rig.set(Mood::Good);
    // A later release of Berth has rewritten the first one's address.
    let newer = br#"{"v":2,"pool":"prod"}"#;
    let key = keys::address(notes[0].1.addresses[0].0);
    site.write([Write::put(key.as_str(), newer)]).await;
    let drained = node.ipam.drain(8, now()).await.expect("drain");
    assert_eq!(
        drained,
        Drained {
            done: 1,
            waiting: 1
        }
    );
    let content = site.content().await;
    assert_eq!(content[&key].0, newer, "it is left alone");
    let other = site.record(notes[1].1.addresses[0].0).await;
    assert!(other.holder.is_none());
    // Once it can be read, it is made.
    let (address, record) = &notes[0].1.addresses[0];
    site.write([Write::put(keys::address(*address), record.encode())])
        .await;
    let drained = node.ipam.drain(8, now()).await.expect("drain");
    assert_eq!(
        drained,
        Drained {
            done: 1,
            waiting: 0
        }
    );
    assert!(site.holders().await.is_empty());
}

pub(crate) async fn a_note_that_cannot_be_read_is_kept_and_passed_over(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    journal(&node, &["a"]).await;
    node.rig.set(Mood::Good);
    let [note] = site.files("n1", "0.json").try_into().expect("one note");
    let odd = note.with_file_name(format!("{:030}.json", 7));
    fs::write(&odd, "{\"v\":9}").expect("write");
    let drained = node.ipam.drain(8, now()).await.expect("drain");
    assert_eq!(drained.done, 1);
    assert!(site.holders().await.is_empty());
    assert_eq!(fs::read(&odd).expect("it is kept"), b"{\"v\":9}");
    node.give("b").await;
}

/// A note that was out of reach while its attachment began to live again.
async fn late_note(site: &Site, known: impl Fn(&Known) -> Option<Known>) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let first = node.give("a").await;
    node.rig.set(Mood::Away);
    let memory = known(&self::known(&first));
    node.ipam
        .release_or_journal(&node.id("a"), memory.as_ref(), now())
        .await
        .expect("journal");
    node.rig.set(Mood::Good);
    let [note] = site.files("n1", "0.json").try_into().expect("one note");
    let text = fs::read(&note).expect("the note");
    fs::remove_file(&note).expect("take the note away");

    let second = node.give("a").await;
    assert_eq!(second.address(), first.address(), "passed on");
    fs::write(&note, text).expect("bring the note back");
    node.ipam.drain(8, now()).await.expect("drain");
    assert_eq!(site.holders().await.len(), 1, "the later life was freed");
    node.ipam
        .release(&node.id("a"), None, now())
        .await
        .expect("release");
    assert!(site.holders().await.is_empty());
}

pub(crate) async fn a_late_note_without_a_life_frees_no_later_one(site: &Site) {
    late_note(site, |_| None).await;
}

pub(crate) async fn a_late_note_of_an_unfinished_life_frees_no_later_one(site: &Site) {
    late_note(site, |known| {
        Some(Known::unfinished(known.incarnation.clone()))
    })
    .await;
}

pub(crate) async fn a_waiting_release_of_an_unfinished_life_frees_the_one_before(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    node.give("a").await;
    node.give("b").await;
    // The container is started again, its ADD fails, and it is removed.
    node.rig.set(Mood::Away);
    let again = node.ask("a");
    node.allocate(&again).await.expect_err("the store is away");
    let unfinished = Known::unfinished(again.incarnation);
    node.ipam
        .release_or_journal(&node.id("a"), Some(&unfinished), now())
        .await
        .expect("journal");
    node.rig.set(Mood::Good);
    node.ipam.drain(8, now()).await.expect("drain");
    let held: Vec<_> = site.holders().await.into_values().collect();
    assert_eq!(held, [node.id("b")], "nobody else would ever free it");
}

pub(crate) async fn releases_that_are_refused_do_not_use_up_every_turn(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let notes = journal(&node, &["a", "b", "c"]).await;
    node.rig.set(Mood::Good);
    for (_, known) in &notes[..2] {
        let key = keys::address(known.addresses[0].0);
        let newer = br#"{"v":2,"pool":"prod"}"#;
        site.write([Write::put(key, newer)]).await;
    }
    // A turn each: the refused ones take two, then it is the third one's.
    let mut done = Vec::new();
    for _ in 0..3 {
        done.push(node.ipam.drain(1, now()).await.expect("drain").done);
    }
    assert_eq!(done, [0, 0, 1]);
    let last = site.record(notes[2].1.addresses[0].0).await;
    assert!(last.holder.is_none());
}

pub(crate) async fn a_release_waits_for_its_own_store_under_any_of_its_names(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    journal(&node, &["a"]).await;
    node.rig.set(Mood::Good);
    node.rig.requests();
    let [other, same] = match &site.config {
        StoreConfig::Embedded(folder) => [
            StoreConfig::Embedded(folder.join("other")),
            StoreConfig::Embedded(folder.join("./")),
        ],
        StoreConfig::Etcd(etcd) => {
            let other = "http://192.0.2.1:2379".to_owned();
            let with_ours = [other.clone(), format!("{}/", etcd.endpoints[0])];
            [
                StoreConfig::Etcd(EtcdConfig::plain([other])),
                StoreConfig::Etcd(EtcdConfig::plain(with_ours)),
            ]
        }
    };
    let under = |config| {
        let identity = node.ipam.node().clone();
        Ipam::new(node.rig.clone(), config, identity, &site.state("n1"))
    };
    let drained = under(&other).drain(8, now()).await.expect("drain");
    assert_eq!((drained.done, drained.waiting), (0, 1));
    assert_eq!(node.rig.requests(), 0, "another store is not asked");
    let drained = under(&same).drain(8, now()).await.expect("drain");
    assert_eq!((drained.done, drained.waiting), (1, 0));
    assert!(site.holders().await.is_empty());
}
