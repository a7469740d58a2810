//! Addresses are kept for workloads, and let go.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;

use berth_ipam::IpamError;
use berth_ipam::pools::{self, Change};
use berth_ipam::reservations::{self, Ask, IfHeld, Order, ReserveError};
use berth_store::{Txn, Write};
use berth_types::{AddressRecord, PoolState, Record as _, keys};

use super::{held, id, put};
use crate::support::rig::{Mood, Rig};
use crate::support::{OneAddress as _, Site, ip, now, prod, subnet};

const CART: &str = "shop/workload/cart";

fn count(name: &str, count: u32) -> Order {
    Order {
        id: id(name),
        ask: Ask::Each(NonZeroU32::new(count).expect("a number")),
        if_held: IfHeld::Refuse,
    }
}

fn these(name: &str, addresses: &[&str], if_held: IfHeld) -> Order {
    Order {
        id: id(name),
        ask: Ask::These(addresses.iter().map(|raw| ip(raw)).collect()),
        if_held,
    }
}

async fn create(site: &Site, order: &Order) -> Result<Vec<IpAddr>, ReserveError> {
    reservations::create(&site.open(), &prod(), order, now()).await
}

async fn delete(site: &Site, if_held: IfHeld) -> Result<(), ReserveError> {
    let store = site.open();
    let view = reservations::look(&store).await?;
    reservations::plan_delete(&view, &id(CART), if_held)?
        .commit(&store)
        .await
}

pub(crate) async fn a_reserved_address_is_given_to_nobody_else(site: &Site) {
    // 13 addresses beside the gateway.
    site.pool(&[subnet("10.20.1.0/28")], 4).await;
    let node = site.node("n1");
    let kept = create(site, &count(CART, 5)).await.expect("reserve");
    assert_eq!(site.reserved(CART).await, kept.iter().copied().collect());
    for n in 0..8 {
        let lease = node.give(&format!("c{n}")).await;
        assert!(!kept.contains(&lease.address()), "{}", lease.address());
    }
    let full = node.allocate(&node.ask("c9")).await;
    assert!(matches!(full, Err(IpamError::Exhausted { .. })), "{full:?}");
    delete(site, IfHeld::Refuse).await.expect("delete");
    assert!(site.reserved(CART).await.is_empty());
    assert!(kept.contains(&node.give("c9").await.address()));
}

pub(crate) async fn a_held_address_is_refused_with_its_holder_unless_that_is_meant(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let lease = node.give("a").await;
    let raw = lease.address().to_string();
    let before = site.content().await;
    let refused = create(site, &these(CART, &["10.20.1.200", &raw], IfHeld::Refuse)).await;
    let Err(ReserveError::Held { address, holder }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (address, holder.attachment),
        (lease.address(), node.id("a"))
    );
    assert_eq!(site.content().await, before);

    create(site, &these(CART, &[&raw], IfHeld::Allow))
        .await
        .expect("reserve");
    assert_eq!(site.holders().await.len(), 1, "the holder keeps it");
    node.release("a").await;
    let record = site.record(lease.address()).await;
    assert_eq!((record.holder, record.reserved_for), (None, Some(id(CART))));
}

pub(crate) async fn operators_who_reserve_at_once_share_no_address(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24"), subnet("2001:db8::/64")], 16)
        .await;
    let reserve = |n: u32| {
        let store = site.open();
        let order = count(&format!("shop/workload/w{n}"), 50);
        tokio::spawn(async move { reservations::create(&store, &prod(), &order, now()).await })
    };
    let tasks: Vec<_> = (0..4).map(reserve).collect();
    let mut all = BTreeSet::new();
    for task in tasks {
        let got = task.await.expect("a task").expect("reserve");
        assert_eq!(got.len(), 100, "as many of each family");
        all.extend(got);
    }
    assert_eq!(all.len(), 400);
    for n in 0..4 {
        assert_eq!(
            site.reserved(&format!("shop/workload/w{n}")).await.len(),
            100
        );
    }
}

pub(crate) async fn an_address_that_is_taken_meanwhile_is_replaced_by_another(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let store = Rig::new(site.open());
    let taken = ip("10.20.1.254");
    store.intrude_after(
        0,
        Txn {
            writes: vec![put(taken, &held(taken, "quick"))],
            ..Txn::default()
        },
    );
    let got = reservations::create(&store, &prod(), &count(CART, 3), now())
        .await
        .expect("reserve");
    assert!(!got.contains(&taken), "{got:?}");
    assert_eq!(site.reserved(CART).await.len(), 3);
}

pub(crate) async fn nothing_is_reserved_of_a_pool_that_drains_meanwhile(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let store = Rig::new(site.open());
    let mut pool = pools::get(&store, &prod()).await.expect("the pool").record;
    pool.state = PoolState::Draining;
    store.intrude_after(
        0,
        Txn {
            writes: vec![Write::put(keys::pool(&prod()), pool.encode())],
            ..Txn::default()
        },
    );
    let refused = reservations::create(&store, &prod(), &count(CART, 3), now()).await;
    assert!(
        matches!(refused, Err(ReserveError::Draining(_))),
        "{refused:?}"
    );
    assert_eq!(site.content().await.len(), 1);
    pools::change(&store, &prod(), &Change::Resume)
        .await
        .expect("resume");
}

pub(crate) async fn a_large_set_is_consistent_wherever_it_is_interrupted(site: &Site) {
    site.pool(&[subnet("10.20.0.0/16")], 16).await;
    for commits in 0..3 {
        let store = Rig::new(site.open());
        store.set_after(commits, Mood::Sour);
        let cut = reservations::create(&store, &prod(), &count(CART, 250), now()).await;
        let listed = site.reserved(CART).await.len();
        assert_eq!(listed, commits * 100, "{cut:?}");
        let rest = count(CART, 250 - u32::try_from(listed).expect("a number"));
        if listed == 0 {
            create(site, &rest).await.expect("reserve");
        } else {
            assert!(
                matches!(cut, Err(ReserveError::Partly { done, .. }) if done == listed),
                "{cut:?}"
            );
            let again = create(site, &rest).await;
            assert!(
                matches!(again, Err(ReserveError::Exists { count, .. }) if count == listed),
                "{again:?}"
            );
            reservations::extend(&site.open(), &rest, now())
                .await
                .expect("extend");
        }
        assert_eq!(site.reserved(CART).await.len(), 250);
        interrupt_deletion(site, commits).await;
    }
}

async fn interrupt_deletion(site: &Site, commits: usize) {
    let store = Rig::new(site.open());
    store.set_after(commits, Mood::Sour);
    let view = reservations::look(&site.open()).await.expect("look");
    let removal = reservations::plan_delete(&view, &id(CART), IfHeld::Refuse).expect("a plan");
    removal.commit(&store).await.expect_err("interrupted");
    assert_eq!(site.reserved(CART).await.len(), 250 - commits * 60);
    delete(site, IfHeld::Refuse).await.expect("delete");
    assert!(site.reserved(CART).await.is_empty());
    assert!(
        !site
            .content()
            .await
            .contains_key(&keys::reservation(&id(CART)))
    );
}

pub(crate) async fn a_reservation_goes_only_while_nobody_holds_of_it_unless_that_is_meant(
    site: &Site,
) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let lease = node.give("a").await;
    let raw = lease.address().to_string();
    create(site, &these(CART, &[&raw, "10.20.1.200"], IfHeld::Allow))
        .await
        .expect("reserve");
    let before = site.content().await;
    let refused = delete(site, IfHeld::Refuse).await;
    assert!(
        matches!(refused, Err(ReserveError::Held { address, .. }) if address == lease.address()),
        "{refused:?}"
    );
    assert_eq!(site.content().await, before);
    delete(site, IfHeld::Allow).await.expect("delete");
    assert_eq!(
        site.holders().await.into_keys().collect::<Vec<_>>(),
        [lease.address()]
    );
    node.release("a").await;
    assert_eq!(site.record(lease.address()).await.previous.len(), 1);
}

pub(crate) async fn a_reservation_that_changed_since_it_was_looked_at_is_not_deleted(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    create(site, &count(CART, 2)).await.expect("reserve");
    let store = site.open();
    let view = reservations::look(&store).await.expect("look");
    let removal = reservations::plan_delete(&view, &id(CART), IfHeld::Refuse).expect("a plan");
    reservations::extend(&store, &count(CART, 1), now())
        .await
        .expect("extend");
    let before = site.content().await;
    let refused = removal.commit(&store).await;
    assert!(
        matches!(refused, Err(ReserveError::Changed { .. })),
        "{refused:?}"
    );
    assert_eq!(site.content().await, before);
}

pub(crate) async fn a_mark_that_no_reservation_lists_is_taken_off_by_deleting_it(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let address = ip("10.20.1.9");
    let mut marked = AddressRecord::unused(prod());
    marked.reserved_for = Some(id(CART));
    site.write([put(address, &marked)]).await;
    let view = reservations::look(&site.open()).await.expect("look");
    let stale: Vec<_> = view.stale_marks().map(|(address, _)| address).collect();
    assert_eq!(stale, [address]);
    delete(site, IfHeld::Refuse).await.expect("delete");
    assert_eq!(site.record(address).await.reserved_for, None);
    let gone = delete(site, IfHeld::Refuse).await;
    assert!(
        matches!(gone, Err(ReserveError::NoSuchReservation(_))),
        "{gone:?}"
    );
}

pub(crate) async fn a_reservation_that_cannot_be_read_is_left_alone(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    for bad in ["{", "{\"v\":2}"] {
        site.write([Write::put(keys::reservation(&id(CART)), bad)])
            .await;
        let before = site.content().await;
        let store = site.open();
        let created = create(site, &count(CART, 2)).await.map(|_| ());
        let extended = reservations::extend(&store, &count(CART, 2), now()).await;
        let deleted = delete(site, IfHeld::Allow).await;
        for ended in [created, extended.map(|_| ()), deleted] {
            assert!(
                matches!(ended, Err(ReserveError::Record(_))),
                "{bad}: {ended:?}"
            );
        }
        assert_eq!(site.content().await, before, "{bad}");
    }
}
