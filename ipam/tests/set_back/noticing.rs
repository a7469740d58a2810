//! What a node that remembers sees of a store that was really set back.

use std::net::IpAddr;

use berth_ipam::closure::{Known, Present, SetBack, Verdict, Witness, judge_set_back};
use berth_ipam::operator;
use berth_store::{LineageSeen, Read, Revision, Store as _};
use berth_types::{AddressRecord, AttachmentId, Record as _, keys};

use crate::site::{Restore, Site, now};

/// What the store shows of a witness that had this address.
async fn present(site: &Site, attachment: &AttachmentId, address: IpAddr) -> Present {
    let store = site.open();
    let wanted = [
        keys::attachment(attachment),
        keys::address(address),
        format!("{}prod", keys::POOLS),
    ];
    let answer = store.read(&wanted.map(|key| Read::Get(key.into()))).await;
    let answer = answer.expect("read");
    let at = |n: usize| {
        answer.lists[n]
            .first()
            .map_or(Revision(0), |entry| entry.revision)
    };
    let record = answer.lists[1]
        .first()
        .map(|entry| AddressRecord::decode("x", &entry.value).expect("a record"));
    Present {
        lineage: store.lineage(),
        revision: answer.revision,
        attachment: at(0),
        address: record.map(|record| (at(1), record)),
        pool: at(2),
    }
}

/// A node's newest attachment, made after the backup, and what the node knows by it.
async fn witness(site: &Site) -> (Known, AttachmentId, IpAddr) {
    site.pool().await;
    site.node("n1").start("old").await;
    site.back_up();
    let node = site.node("n1");
    let (id, address) = (node.id("new"), node.start("new").await);
    let seen = present(site, &id, address).await;
    let known = Known {
        lineage: None,
        revision: seen.revision,
        witness: Some(Witness {
            attachment: id.clone(),
            revision: seen.attachment,
        }),
    };
    assert_eq!(judge_set_back(&known, &seen), Verdict::Same);
    let LineageSeen::One(lineage) = seen.lineage else {
        panic!("one store has answered")
    };
    let with_lineage = Known {
        lineage: Some(lineage),
        ..known
    };
    (with_lineage, id, address)
}

/// The lineage is left out of it: etcd keeps its cluster id with the same token and peer URLs.
fn by_content(known: &Known, present: &Present) -> Verdict {
    let known = Known {
        lineage: None,
        ..known.clone()
    };
    judge_set_back(&known, present)
}

fn is_replaced(known: &Known, present: &Present) -> bool {
    let verdict = judge_set_back(known, present);
    matches!(verdict, Verdict::SetBack(SetBack::Replaced { .. }))
}

pub(crate) async fn case_75_a_store_set_back_is_noticed_by_its_revision(site: &mut Site) {
    let (known, id, address) = witness(site).await;
    site.restore_as("another-token", Restore::Plain).await;
    let seen = present(site, &id, address).await;
    let lower = matches!(
        by_content(&known, &seen),
        Verdict::SetBack(SetBack::Lower { .. })
    );
    assert!(lower, "{:?}", by_content(&known, &seen));
    assert!(
        is_replaced(&known, &seen),
        "another token is another cluster"
    );
}

pub(crate) async fn a_store_set_back_and_bumped_is_noticed_by_its_witness(site: &mut Site) {
    let (known, id, address) = witness(site).await;
    site.restore(Restore::Bumped).await;
    let seen = present(site, &id, address).await;
    let forgotten = Verdict::SetBack(SetBack::Forgotten(known.witness.clone().expect("one")));
    assert_eq!(by_content(&known, &seen), forgotten);
    // The same peer URLs and token make the same cluster id, to etcd.
    let embedded = matches!(site.config, berth_store::StoreConfig::Embedded(_));
    assert_eq!(is_replaced(&known, &seen), embedded);
    // Somebody else was given the address before anybody noticed.
    let other = site.node("n2");
    let mut request = other.ask("stranger");
    request.exact = vec![address];
    assert_eq!(other.start_as(&request).await, address);
    let seen = present(site, &id, address).await;
    assert_eq!(by_content(&known, &seen), forgotten);
}

pub(crate) async fn a_witness_released_by_an_operator_is_no_set_back(site: &mut Site) {
    let (known, id, address) = witness(site).await;
    let store = site.open();
    let shown = operator::look(&store, &[address].into())
        .await
        .expect("look");
    for release in operator::plan(&shown).releases {
        release.commit(&store, now()).await.expect("release");
    }
    let seen = present(site, &id, address).await;
    assert_eq!(judge_set_back(&known, &seen), Verdict::Released);
    let other = site.node("n2");
    let mut request = other.ask("next");
    request.exact = vec![address];
    other.start_as(&request).await;
    let seen = present(site, &id, address).await;
    assert_eq!(judge_set_back(&known, &seen), Verdict::Released);
}
