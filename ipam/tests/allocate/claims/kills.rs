//! Every way to an address, killed at each of its transactions, or with answers that are lost.

use berth_ipam::{Lease, Released, Request, Scope};
use berth_store::Store as _;
use berth_types::PoolRecord;

use crate::support::cast::{Eyes, addresses, later, name, pod, pool_of, sticky_pool};
use crate::support::rig::Mood;
use crate::support::{Node, Site, ip};

/// How addresses are come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Any,
    Exact,
    Reserved,
    KeptFirst,
    KeptAgain,
    TakenOver,
    MovedToAnotherPool,
    Forsaken,
    StartedAgain,
}

const WAYS: [Way; 9] = [
    Way::Any,
    Way::Exact,
    Way::Reserved,
    Way::KeptFirst,
    Way::KeptAgain,
    Way::TakenOver,
    Way::MovedToAnotherPool,
    Way::Forsaken,
    Way::StartedAgain,
];

const BOTH: [&str; 2] = ["10.20.1.0/28", "2001:db8:1::/124"];

/// A fresh store, a fresh node, and what it is to ask for.
async fn scene(site: &Site, way: Way, round: &str) -> (Node, Request) {
    site.wipe().await;
    let plain = matches!(way, Way::Any | Way::Exact | Way::Reserved);
    let pool = if plain {
        pool_of(&BOTH)
    } else {
        sticky_pool(&BOTH)
    };
    site.put_pool(
        "prod",
        &PoolRecord {
            sticky_for_s: 60,
            ..pool
        },
    )
    .await;
    let more = ["10.20.2.0/28", "2001:db8:2::/124"];
    site.put_pool("two", &sticky_pool(&more)).await;
    let node = site.node(&format!("n-{round}"));
    let mut request = node.ask_for("new", pod("cart-0", "u1"));
    match way {
        Way::Any | Way::KeptFirst => {}
        Way::Exact => request.exact = vec![ip("10.20.1.7")],
        Way::Reserved => {
            let set = ["10.20.1.5", "2001:db8:1::5"];
            site.reserve("shop/workload/cart", &set).await;
            request.reservation = Some("shop/workload/cart".parse().expect("an id"));
        }
        Way::TakenOver => drop(node.give_pod("old", pod("cart-0", "u1")).await),
        Way::KeptAgain | Way::MovedToAnotherPool => {
            node.give_pod("old", pod("cart-0", "u0")).await;
            node.release("old").await;
            if way == Way::MovedToAnotherPool {
                request.pools = vec![name("two")];
            }
        }
        Way::Forsaken => {
            for n in 0..13 {
                node.give_pod(&format!("c{n}"), pod(&format!("web-{n}"), "u"))
                    .await;
            }
            node.release("c3").await;
            node.release("c5").await;
        }
        Way::StartedAgain => {
            drop(node.give_pod("new", pod("cart-0", "u1")).await);
            request.pools = vec![name("two")];
        }
    }
    (node, request)
}

async fn allocate(node: &Node, request: &Request) -> Result<Lease, berth_ipam::IpamError> {
    node.ipam
        .allocate(request, &Eyes::open(), later(3600))
        .await
}

/// What must be true whatever happened: the records agree, and the request's own hold both or none.
async fn agrees(site: &Site, case: &str) -> usize {
    site.kept().await;
    let holders = site.holders().await;
    let new = holders.values().filter(|id| id.container.as_str() == "new");
    let count = new.count();
    assert!(count == 0 || count == 2, "{case}: {holders:?}");
    count
}

pub(crate) async fn killed_before_or_after_any_transaction_nothing_stays(site: &Site) {
    for way in WAYS {
        for mood in [Mood::Catching, Mood::Souring] {
            for commits in 0.. {
                let case = format!("{way:?} {mood:?} {commits}");
                let round = case.replace(' ', "-").to_lowercase();
                let (node, request) = scene(site, way, &round).await;
                node.rig.set_after(commits, mood);
                let result = allocate(&node, &request).await;
                node.rig.set(Mood::Good);
                if result.is_ok() {
                    assert!(commits > 0, "{case}");
                    break;
                }
                agrees(site, &case).await;
                let (id, life) = (&request.attachment, &request.incarnation);
                let freed = node
                    .ipam
                    .release_unfinished(id, life, Scope::Attachment, later(3600));
                freed.await.expect(&case);
                if site.server.is_some() {
                    for late in node.rig.caught() {
                        node.rig.real.commit(&late).await.expect(&case);
                    }
                }
                assert_eq!(agrees(site, &case).await, 0, "{case}");
                let mut again = node.ask("again");
                again.pod.clone_from(&request.pod);
                again.pools.clone_from(&request.pools);
                again.reservation.clone_from(&request.reservation);
                let lease = allocate(&node, &again).await.expect(&case);
                assert_eq!(lease.addresses.len(), 2, "{case}");
                agrees(site, &case).await;
                assert!(commits < 8, "{case}: it never ends");
            }
        }
    }
}

pub(crate) async fn lost_answers_change_nothing(site: &Site) {
    for way in WAYS {
        for commits in 0..4 {
            let case = format!("{way:?} {commits}");
            let round = case.replace(' ', "-").to_lowercase();
            let (node, request) = scene(site, way, &round).await;
            node.rig.set_after(commits, Mood::Losing(2));
            let lease = allocate(&node, &request).await.expect(&case);
            node.rig.set(Mood::Good);
            assert_eq!(agrees(site, &case).await, 2, "{case}");
            let same = allocate(&node, &request).await.expect(&case);
            assert_eq!(addresses(&same), addresses(&lease), "{case}");
            for leased in &same.addresses {
                let record = site.record(leased.address).await;
                assert_eq!(record, leased.record, "{case}");
            }
            let freed = node
                .ipam
                .release(&request.attachment, None, later(3600))
                .await;
            assert!(
                matches!(freed, Ok(Released::Freed { .. })),
                "{case}: {freed:?}"
            );
        }
    }
}
