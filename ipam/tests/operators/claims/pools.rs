//! Pools that are in use are changed and deleted.

use berth_ipam::pools::{self, Change, PoolError, Settings};
use berth_store::{Compare, Txn, Write};
use berth_types::{BlockSize, PoolName, PoolRecord, PoolState, Record as _, keys};

use super::{held, id, put, sticky};
use crate::support::rig::Rig;
use crate::support::{OneAddress as _, Site, ip, prod, subnet};

fn named(name: &str) -> PoolName {
    name.parse().expect("a name")
}

fn record(cidr: &str) -> PoolRecord {
    PoolRecord::new(vec![subnet(cidr)], BlockSize::default())
}

pub(crate) async fn of_operators_who_make_overlapping_pools_at_once_exactly_one_wins(site: &Site) {
    for round in 0..10 {
        let make = |name: &str, cidr: &str| {
            let (store, name, record) = (site.open(), named(name), record(cidr));
            tokio::spawn(async move { pools::create(&store, &name, &record).await })
        };
        let tasks = [
            make("one", &format!("10.{round}.0.0/16")),
            make("two", &format!("10.{round}.7.0/24")),
            make("three", &format!("10.{round}.7.128/25")),
        ];
        let mut won = 0;
        for task in tasks {
            match task.await.expect("a task") {
                Ok(_) => won += 1,
                Err(PoolError::Overlap { .. }) => {}
                Err(other) => panic!("round {round}: {other}"),
            }
        }
        assert_eq!(won, 1, "round {round}");
        for pool in pools::all(&site.open()).await.expect("pools") {
            site.write([Write::delete(keys::pool(&pool.name))]).await;
        }
    }
}

pub(crate) async fn of_operators_who_extend_pools_into_each_other_at_once_exactly_one_wins(
    site: &Site,
) {
    let store = site.open();
    for (name, cidr) in [("one", "10.1.0.0/24"), ("two", "10.2.0.0/24")] {
        pools::create(&store, &named(name), &record(cidr))
            .await
            .expect("make a pool");
    }
    let extend = |name: &str, cidr: &str| {
        let (store, name, more) = (site.open(), named(name), vec![subnet(cidr)]);
        tokio::spawn(async move { pools::extend(&store, &name, &more).await })
    };
    let (one, two) = (extend("one", "10.3.0.0/16"), extend("two", "10.3.9.0/24"));
    let (one, two) = (one.await.expect("a task"), two.await.expect("a task"));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let lost = one.err().or(two.err()).expect("one lost");
    assert!(matches!(lost, PoolError::Overlap { .. }), "{lost:?}");
}

pub(crate) async fn changes_at_once_lose_nothing(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let change = |change: Change| {
        let store = site.open();
        tokio::spawn(async move { pools::change(&store, &prod(), &change).await })
    };
    let settings = Settings {
        cooldown_s: Some(99),
        ..Settings::default()
    };
    let range = |raw: &str| vec![raw.parse().expect("a range")];
    let tasks = [
        change(Change::Exclude(range("10.20.1.100-10.20.1.109"))),
        change(Change::Exclude(range("10.20.1.200"))),
        change(Change::Set(settings)),
        change(Change::Extend(vec![subnet("10.20.2.0/24")])),
        change(Change::Drain),
    ];
    for task in tasks {
        task.await.expect("a task").expect("a change");
    }
    let pool = pools::get(&site.open(), &prod()).await.expect("the pool");
    assert_eq!(pool.record.subnets.len(), 2);
    assert_eq!(pool.record.subnets[0].exclude.len(), 2);
    assert_eq!(pool.record.cooldown_s, 99);
    assert_eq!(pool.record.state, PoolState::Draining);
}

pub(crate) async fn case_62_an_excluded_address_stays_with_its_holder_and_is_given_to_nobody_after(
    site: &Site,
) {
    // 13 addresses beside the gateway.
    site.pool(&[subnet("10.20.1.0/28")], 4).await;
    let node = site.node("n1");
    let lease = node.give("a").await;
    let range = berth_types::AddressRange::new(lease.address(), lease.address()).expect("a range");
    let exclude = Change::Exclude(vec![range]);
    let changed = pools::change(&site.open(), &prod(), &exclude)
        .await
        .expect("exclude");
    assert_eq!(changed.before.size(), changed.after.size() + 1);
    assert_eq!(site.holders().await.len(), 1, "its holder keeps it");
    node.release("a").await;
    for n in 0..12 {
        let other = node.give(&format!("b{n}")).await;
        assert_ne!(other.address(), lease.address(), "it is excluded");
    }
    let full = node.allocate(&node.ask("c")).await;
    assert!(full.is_err(), "{full:?}");
    let include = Change::Include(vec![range]);
    pools::change(&site.open(), &prod(), &include)
        .await
        .expect("include");
    assert_eq!(node.give("d").await.address(), lease.address());
}

pub(crate) async fn case_63_a_pool_is_deleted_only_from_draining_and_while_nothing_is_held(
    site: &Site,
) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let (node, store) = (site.node("n1"), site.open());
    node.give("a").await;
    let before = site.content().await;
    let active = pools::get(&store, &prod()).await.expect("the pool");
    let refused = pools::delete(&store, &active).await;
    assert!(matches!(refused, Err(PoolError::Active(_))), "{refused:?}");
    assert_eq!(site.content().await, before);

    pools::drain(&store, &prod()).await.expect("drain");
    assert!(node.allocate(&node.ask("b")).await.is_err(), "it drains");
    let draining = pools::get(&store, &prod()).await.expect("the pool");
    let before = site.content().await;
    let refused = pools::delete(&store, &draining).await;
    assert!(
        matches!(refused, Err(PoolError::InUse { held: 1, .. })),
        "{refused:?}"
    );
    assert_eq!(site.content().await, before);
    node.release("a").await;
    let stale = pools::delete(&store, &active).await;
    assert!(matches!(stale, Err(PoolError::Changed(_))), "{stale:?}");
    pools::delete(&store, &draining).await.expect("delete");
    let left = site.content().await.into_keys();
    let left: Vec<_> = left.filter(|key| !key.contains("/nodes/")).collect();
    assert!(left.is_empty(), "{left:?}");
}

pub(crate) async fn a_block_size_is_fixed_once_a_block_is_claimed(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let (node, store) = (site.node("n1"), site.open());
    let size = |size: u32| {
        Change::Set(Settings {
            block_size: Some(BlockSize::try_from(size).expect("a size")),
            ..Settings::default()
        })
    };
    let changed = pools::change(&store, &prod(), &size(8)).await;
    assert_eq!(
        changed.expect("nobody uses it").after.block_size,
        BlockSize::try_from(8).expect("a size")
    );
    node.give("a").await;
    let refused = pools::change(&store, &prod(), &size(16)).await;
    assert!(
        matches!(refused, Err(PoolError::Frozen { claimed: 1, .. })),
        "{refused:?}"
    );
    pools::change(&store, &prod(), &size(8))
        .await
        .expect("it is like that");
}

pub(crate) async fn a_pool_that_changed_since_it_was_looked_at_is_not_deleted(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let store = site.open();
    pools::drain(&store, &prod()).await.expect("drain");
    let seen = pools::get(&store, &prod()).await.expect("the pool");
    pools::change(&store, &prod(), &Change::Resume)
        .await
        .expect("resume");
    let before = site.content().await;
    let refused = pools::delete(&store, &seen).await;
    assert!(matches!(refused, Err(PoolError::Changed(_))), "{refused:?}");
    assert_eq!(site.content().await, before);
}

pub(crate) async fn an_address_that_is_taken_under_a_deletion_stops_it(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let store = Rig::new(site.open());
    pools::drain(&store, &prod()).await.expect("drain");
    let seen = pools::get(&store, &prod()).await.expect("the pool");
    // Somebody who does not look at the pool, after the deletion saw that nothing is held.
    let address = ip("10.20.1.9");
    let intruder = Txn {
        compares: vec![Compare::absent(keys::address(address))],
        writes: vec![put(address, &held(address, "late"))],
        otherwise: vec![],
    };
    store.intrude_after(1, intruder);
    let refused = pools::delete(&store, &seen).await;
    assert!(
        matches!(refused, Err(PoolError::InUse { .. })),
        "{refused:?}"
    );
    assert!(site.record(address).await.holder.is_some());
}

pub(crate) async fn unused_sticky_reservations_go_with_their_pool_and_an_operators_do_not(
    site: &Site,
) {
    site.pool(&[subnet("10.20.0.0/16")], 16).await;
    let store = site.open();
    let other = named("other");
    pools::create(&store, &other, &record("10.30.0.0/24"))
        .await
        .expect("another");
    // More than one transaction takes.
    for n in 0..150_u8 {
        let name = format!("shop/pod/cart-{n}/eth0");
        site.write(sticky(&name, [10, 20, 7, n].into())).await;
    }
    let kept = "shop/workload/cart";
    let mut writes = Vec::from(sticky(kept, ip("10.20.9.9")));
    let Write::Put { value, .. } = &mut writes[0] else {
        panic!("a put")
    };
    *value = String::from_utf8(value.clone())
        .expect("JSON")
        .replace("sticky", "kept")
        .into();
    site.write(writes).await;
    pools::drain(&store, &prod()).await.expect("drain");
    let seen = pools::get(&store, &prod()).await.expect("the pool");
    let refused = pools::delete(&store, &seen).await;
    let Err(PoolError::Reserved {
        count: 1, first, ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(first, id(kept));

    site.write([Write::delete(keys::reservation(&id(kept)))])
        .await;
    let goes = pools::what_goes(&store, &seen).await.expect("a look");
    assert_eq!((goes.remembered, goes.reservations.len()), (151, 150));
    pools::delete(&store, &seen).await.expect("delete");
    let left: Vec<_> = site.content().await.into_keys().collect();
    assert_eq!(left, [keys::pool(&other)]);
}

pub(crate) async fn records_that_cannot_be_read_stand_in_the_way_of_a_deletion(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let store = site.open();
    pools::drain(&store, &prod()).await.expect("drain");
    let seen = pools::get(&store, &prod()).await.expect("the pool");
    let address = ip("10.20.1.9");
    let mut marked = berth_types::AddressRecord::unused(prod());
    marked.reserved_for = Some(id("shop/workload/cart"));
    let newer = Write::put(keys::reservation(&id("shop/workload/cart")), "{\"v\":2}");
    for writes in [
        vec![Write::put(keys::address(address), "{")],
        vec![put(address, &marked), newer.clone()],
    ] {
        site.write(writes).await;
        let before = site.content().await;
        let refused = pools::delete(&store, &seen).await;
        assert!(matches!(refused, Err(PoolError::Record(_))), "{refused:?}");
        assert_eq!(site.content().await, before);
    }
    // Nothing says that it is of this pool, so it is left alone and nobody minds.
    site.write([Write::delete(keys::address(address))]).await;
    pools::delete(&store, &seen).await.expect("delete");
    let left: Vec<_> = site.content().await.into_keys().collect();
    assert_eq!(left, [keys::reservation(&id("shop/workload/cart"))]);
    assert!(PoolRecord::decode("x", b"{").is_err());
}
