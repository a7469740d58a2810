//! Names that two machines have.

use std::fs;

use berth_ipam::node::{Standing, adopt, judge};
use berth_ipam::republish::{OnConflict, RepublishError};
use berth_ipam::{Ipam, IpamError, NoEvidence, NodeIdentity};
use berth_store::Write;
use berth_types::{NodeRecord, Record as _, keys};

use crate::site::{Restore, Site, nobody, now, write};

/// The machine's disk is wiped: the next start draws another id.
fn wipe(site: &Site, node: &str) {
    fs::remove_dir_all(site.folder.path().join(node)).expect("wipe the disk");
}

pub(crate) async fn case_76_another_machine_of_that_name_answers_nothing_until_it_adopts(
    site: &mut Site,
) {
    site.pool().await;
    site.node("n1").start("a").await;
    site.back_up();
    site.node("n1").start("b").await;
    site.restore(Restore::Plain).await;
    site.close().await;
    site.node("n1").republish().await;
    wipe(site, "n1");
    let other = site.node("n1");
    let refused = other.try_republish(OnConflict::Stay).await;
    assert!(
        matches!(refused, Err(RepublishError::Anothers(_))),
        "{refused:?}"
    );
    let adoption = adopt::look(&site.open(), other.ipam.node()).await;
    let adoption = adoption.expect("look");
    assert_eq!(
        adoption.left_behind.len(),
        2,
        "what the first machine had stays held"
    );
    let taken = adoption.after.clone().expect("something to take");
    assert_eq!(taken.answered, None, "the answer was the other machine's");
    assert!(adoption.commit(&site.open()).await.expect("adopt"));
    assert_eq!(judge(Some(&taken), other.ipam.node()), Standing::Ours);
    let report = other.republish().await;
    assert!(report.answered);
    assert_eq!(
        report.stale,
        [],
        "another machine's attachments are not this one's to judge"
    );
    assert_eq!(site.holders().await.len(), 2);
}

pub(crate) async fn an_adoption_is_made_only_on_what_was_shown(site: &mut Site) {
    let (first, store) = (site.node("n1"), site.open());
    let claim = adopt::look(&store, first.ipam.node()).await.expect("look");
    assert!(claim.before.is_none());
    assert!(claim.commit(&store).await.expect("claim"));
    assert!(
        !claim.commit(&store).await.expect("refused"),
        "it was shown absent"
    );
    let ours = adopt::look(&store, first.ipam.node()).await.expect("look");
    assert_eq!(ours.after, None, "it is ours already");
    wipe(site, "n1");
    let second = site.node("n1");
    let shown = adopt::look(&store, second.ipam.node()).await.expect("look");
    wipe(site, "n1");
    let third = site.node("n1");
    let taken = adopt::look(&store, third.ipam.node()).await.expect("look");
    assert!(taken.commit(&store).await.expect("adopt"));
    assert!(
        !shown.commit(&store).await.expect("refused"),
        "a third was faster"
    );
    let key = keys::node(&third.ipam.node().name);
    let read = [berth_store::Read::Get(key.into())];
    let answer = berth_store::Store::read(&store, &read).await.expect("read");
    let record = NodeRecord::decode("x", &answer.lists[0][0].value).expect("a record");
    assert_eq!(record.node_id, third.ipam.node().id);
}

/// All that the disk remembers comes along, also that the name was seen to be this machine's.
pub(crate) async fn case_76_a_clone_with_everything_on_its_disk_is_refused(site: &mut Site) {
    site.pool().await;
    let original = site.node("n1");
    original.start("a").await;
    original.start("b").await;
    let disk = site.folder.path().join("n1");
    let clones = [
        ("another machine id", original.ipam.node().id.clone()),
        ("another node id", nobody()),
    ];
    for (case, id) in clones {
        let identity = NodeIdentity {
            machine_id: "0123456789abcdef0123456789abcdef".into(),
            id,
            ..original.ipam.node().clone()
        };
        let clone = Ipam::new(site.open(), &site.config, identity, &disk);
        let refused = clone.allocate(&original.ask("c"), &NoEvidence, now()).await;
        assert!(
            matches!(refused, Err(IpamError::NodeNameTaken(_))),
            "{case}: {refused:?}"
        );
    }
    assert_eq!(site.holders().await.len(), 2);
    original.start("c").await;
}

/// The store has no record of the machine, so that nobody knows which one was buried.
pub(crate) async fn a_dead_node_of_no_known_machine_stays_dead_when_it_is_adopted(site: &mut Site) {
    site.pool().await;
    let node = site.node("n1");
    node.start("a").await;
    let record = keys::node(&node.ipam.node().name);
    write(&site.open(), vec![Write::delete(record)]).await;
    wipe(site, "n1");
    site.close().await;
    site.declare_dead("n1").await;
    site.reopen().await;
    let back = site.node("n1");
    let adoption = adopt::look(&site.open(), back.ipam.node()).await;
    let adoption = adoption.expect("look");
    assert!(adoption.commit(&site.open()).await.expect("adopt"));
    let refused = back.ipam.allocate(&back.ask("b"), &NoEvidence, now()).await;
    assert!(
        matches!(refused, Err(IpamError::DeclaredDead(_))),
        "{refused:?}"
    );
    assert!(back.republish().await.answered);
    back.start("b").await;
}
