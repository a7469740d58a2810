//! Addresses drawn from a workload's set, and kept from everybody else.

use std::collections::BTreeSet;

use berth_ipam::{Ended, IpamError, Probing, Request};
use berth_store::Write;
use berth_types::{Record as _, ReservationId, keys};

use crate::support::cast::{Eyes, addresses, pod, pool_of};
use crate::support::{Node, OneAddress as _, Site, ip};

const CART: &str = "shop/workload/cart";

fn draw(node: &Node, n: usize) -> Request {
    Request {
        reservation: Some(CART.parse().expect("an id")),
        ..node.ask_for(
            &format!("s{n}"),
            pod(&format!("cart-{n}"), &format!("u{n}")),
        )
    }
}

pub(crate) async fn pods_of_a_workload_draw_from_its_set_until_it_is_used_up(site: &Site) {
    site.put_pool("prod", &pool_of(&["10.20.1.0/24"])).await;
    site.reserve(CART, &["10.20.1.50", "10.20.1.60", "10.20.1.70"])
        .await;
    let nodes = ["n1", "n2"].map(|name| site.node(name));
    let eyes = Eyes::open();
    let at_once = async |n: usize| {
        nodes[n % 2]
            .allocate_seeing(&draw(&nodes[n % 2], n), &eyes)
            .await
    };
    let (a, b, c) = tokio::join!(at_once(0), at_once(1), at_once(2));
    let given = [a, b, c].map(|lease| lease.expect("an address").address());
    let set: BTreeSet<_> = given.iter().map(ToString::to_string).collect();
    assert_eq!(
        set.into_iter().collect::<Vec<_>>(),
        ["10.20.1.50", "10.20.1.60", "10.20.1.70"]
    );
    let before = site.content().await;
    let error = at_once(3).await.expect_err("too small");
    let IpamError::ReservationInUse { count, holder, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (
            *count,
            holder.attachment.container.as_str().starts_with('s')
        ),
        (3, true)
    );
    assert!(error.to_string().contains("of pod shop/cart-"), "{error}");
    assert_eq!(site.content().await, before);
    nodes[1].release("s1").await;
    let lease = at_once(3).await.expect("an address");
    assert_eq!(lease.address(), given[1]);
    let id: ReservationId = CART.parse().expect("an id");
    assert_eq!(site.record(given[1]).await.reserved_for, Some(id));
    assert_eq!(lease.record().previous[0].attachment, nodes[1].id("s1"));
}

pub(crate) async fn one_of_the_set_may_be_asked_for_and_none_outside(site: &Site) {
    site.put_pool("prod", &pool_of(&["10.20.1.0/24", "2001:db8:1::/64"]))
        .await;
    site.reserve(CART, &["10.20.1.50", "10.20.1.60", "2001:db8:1::50"])
        .await;
    let node = site.node("n1");
    let eyes = Eyes::open();
    let exact = |address: &str, n| Request {
        exact: vec![ip(address)],
        ..draw(&node, n)
    };
    let lease = node
        .allocate_seeing(&exact("10.20.1.60", 0), &eyes)
        .await
        .expect("it");
    assert_eq!(addresses(&lease), [ip("10.20.1.60"), ip("2001:db8:1::50")]);
    let error = node
        .allocate_seeing(&exact("10.20.1.80", 1), &eyes)
        .await
        .expect_err("outside");
    assert!(
        matches!(error, IpamError::NotInReservation { .. }),
        "{error}"
    );
    // Of the other family nothing is left.
    let error = node
        .allocate_seeing(&draw(&node, 2), &eyes)
        .await
        .expect_err("used up");
    assert!(
        matches!(error, IpamError::ReservationInUse { .. }),
        "{error}"
    );
    assert_eq!(site.holders().await.len(), 2);
}

pub(crate) async fn a_container_that_is_started_again_leaves_what_is_not_of_the_set(site: &Site) {
    site.put_pool("prod", &pool_of(&["10.20.1.0/24"])).await;
    site.reserve(CART, &["10.20.1.50"]).await;
    let node = site.node("n1");
    node.give("s0").await;
    for _ in 0..2 {
        let lease = node.allocate_seeing(&draw(&node, 0), &Eyes::open()).await;
        assert_eq!(lease.expect("an address").address(), ip("10.20.1.50"));
        assert_eq!(site.holders().await.len(), 1);
    }
}

pub(crate) async fn what_is_reserved_is_never_given_to_others(site: &Site) {
    site.put_pool("prod", &pool_of(&["10.20.1.0/28"])).await;
    let [warm, cold] = ["n1", "n2"].map(|name| site.node(name));
    // The hint of one knows its block as never used; the other's knows nothing.
    warm.give("first").await;
    let reserved = ["10.20.1.3", "10.20.1.5", "10.20.1.9", "10.20.1.14"];
    site.reserve(CART, &reserved).await;
    let mut given = site.holders().await;
    for n in 0..8 {
        let node = [&warm, &cold][n % 2];
        let lease = node.give(&format!("c{n}")).await;
        given.insert(lease.address(), node.id(&format!("c{n}")));
    }
    assert_eq!(given.len(), 9);
    assert!(
        reserved.iter().all(|raw| !given.contains_key(&ip(raw))),
        "{given:?}"
    );
    for node in [&warm, &cold] {
        let error = node
            .allocate_seeing(&node.ask("x"), &Eyes::open())
            .await
            .expect_err("full");
        let IpamError::Exhausted { pools } = &error else {
            panic!("{error}")
        };
        assert_eq!(
            (pools[0].held, pools[0].reserved, pools[0].size),
            (9, 4, 13)
        );
        let exact = Request {
            exact: vec![ip("10.20.1.3")],
            ..node.ask("x")
        };
        let error = node
            .allocate_seeing(&exact, &Eyes::open())
            .await
            .expect_err("reserved");
        assert!(matches!(error, IpamError::Reserved { .. }), "{error}");
    }
}

pub(crate) async fn a_reservation_deleted_meanwhile_gives_nothing_that_is_anothers(site: &Site) {
    site.put_pool("prod", &pool_of(&["10.20.1.0/24"])).await;
    site.reserve(CART, &["10.20.1.50"]).await;
    let node = site.node("n1");
    let id: ReservationId = CART.parse().expect("an id");
    let mut record = site.record(ip("10.20.1.50")).await;
    record.reserved_for = Some("shop/workload/till".parse().expect("an id"));
    // Just before the claim the set is deleted, and its address reserved for another.
    let txn = berth_store::Txn {
        writes: vec![
            Write::delete(keys::reservation(&id)),
            Write::put(keys::address(ip("10.20.1.50")), record.encode()),
        ],
        ..Default::default()
    };
    node.rig.intrude_after(0, txn);
    let error = node
        .allocate_seeing(&draw(&node, 0), &Eyes::open())
        .await
        .expect_err("gone");
    assert!(matches!(error, IpamError::Reserved { .. }), "{error}");
    let error = node
        .allocate_seeing(&draw(&node, 0), &Eyes::open())
        .await
        .expect_err("gone");
    assert!(matches!(error, IpamError::NoSuchReservation(_)), "{error}");
    assert!(site.holders().await.is_empty());
}

pub(crate) async fn a_doubtful_address_of_the_set_is_given_last_and_to_those_who_can_ask(
    site: &Site,
) {
    site.put_pool("prod", &pool_of(&["10.20.1.0/24"])).await;
    site.reserve(CART, &["10.20.1.50", "10.20.1.60"]).await;
    site.put_address("10.20.1.50", |record| {
        record.unproven = true;
        record.reserved_for = Some(CART.parse().expect("an id"));
    })
    .await;
    let node = site.node("n1");
    let blind = Eyes::finding(Ended::Gone, Probing::Nothing);
    let lease = node.allocate_seeing(&draw(&node, 0), &blind).await;
    assert_eq!(lease.expect("an address").address(), ip("10.20.1.60"));
    let error = node.allocate_seeing(&draw(&node, 1), &blind).await;
    let error = error.expect_err("one is held, the other doubtful");
    assert!(matches!(error, IpamError::Doubtful { .. }), "{error}");
    let lease = node.allocate_seeing(&draw(&node, 1), &Eyes::open()).await;
    let lease = lease.expect("on condition");
    assert_eq!(lease.address(), ip("10.20.1.50"));
    assert!(lease.addresses[0].record.unproven);
}
