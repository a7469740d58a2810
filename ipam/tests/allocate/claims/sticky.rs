//! Addresses that a pod's interface keeps over the pod's lives.

use berth_ipam::{IpamError, Request, Stickiness};
use berth_types::{PodRef, PoolRecord, PoolState};

use crate::support::cast::{Eyes, addresses, later, name, pod, sticky_pool};
use crate::support::{OneAddress as _, Site, now, subnet};

pub(crate) async fn a_pod_gets_its_address_again_on_whichever_node(site: &Site) {
    site.put_pool("prod", &sticky_pool(&["10.20.1.0/24", "2001:db8:1::/64"]))
        .await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    let first = one.give_pod("s1", pod("cart-0", "u1")).await;
    one.give_pod("other", pod("cart-1", "u2")).await;
    for (n, node) in [&one, &two, &two, &one].into_iter().enumerate() {
        let before = [&one, &one, &two, &two][n];
        before.release(&format!("s{}", n + 1)).await;
        assert_eq!(site.kept().await.len(), 2, "a DEL keeps the reservation");
        let uid = format!("u-{n}");
        let lease = node
            .give_pod(&format!("s{}", n + 2), pod("cart-0", &uid))
            .await;
        assert_eq!(addresses(&lease), addresses(&first));
        let previous = &lease.record().previous[0];
        assert_eq!(previous.attachment, before.id(&format!("s{}", n + 1)));
    }
    assert_eq!(site.kept().await["shop/pod/cart-0/eth0"], addresses(&first));
}

pub(crate) async fn pods_of_one_name_and_interfaces_of_one_pod_have_their_own(site: &Site) {
    site.put_pool("prod", &sticky_pool(&["10.20.1.0/24"])).await;
    let node = site.node("n1");
    let mut requests = vec![node.ask_for("a", pod("cart-0", "u1"))];
    let blog = PodRef {
        namespace: "blog".into(),
        ..pod("cart-0", "u2")
    };
    requests.push(node.ask_for("b", blog));
    let mut second = node.ask_for("a", pod("cart-0", "u1"));
    second.attachment.ifname = "eth1".parse().expect("a name");
    requests.push(second);
    let eyes = Eyes::open();
    let mut given = Vec::new();
    for request in &requests {
        given.push(
            node.allocate_seeing(request, &eyes)
                .await
                .expect("an address")
                .address(),
        );
    }
    assert_eq!(eyes.asked(), Vec::<String>::new());
    assert_eq!(site.kept().await.len(), 3);
    given.sort();
    given.dedup();
    assert_eq!(given.len(), 3);
}

pub(crate) async fn the_longest_forsaken_is_given_up_only_when_the_pool_is_full(site: &Site) {
    let pool = PoolRecord {
        sticky_for_s: 3600,
        ..sticky_pool(&["10.20.1.0/29"])
    };
    site.put_pool("prod", &pool).await;
    let node = site.node("n1");
    let mut kept = Vec::new();
    for n in 0..5 {
        kept.push(
            node.give_pod(&format!("s{n}"), pod(&format!("cart-{n}"), "u"))
                .await
                .address(),
        );
    }
    for n in [3, 1, 2] {
        node.release(&format!("s{n}")).await;
    }
    let give = |container: &str, at: i64| {
        let request = Request {
            stickiness: Stickiness::Loose,
            ..node.ask(container)
        };
        let ipam = &node.ipam;
        async move { ipam.allocate(&request, &Eyes::open(), later(at)).await }
    };
    let early = give("x", 3599).await;
    assert!(
        matches!(early, Err(IpamError::Exhausted { .. })),
        "{early:?}"
    );
    assert_eq!(site.kept().await.len(), 5);
    for (container, owner) in [("x", 3), ("y", 1), ("z", 2)] {
        let lease = give(container, 3600).await.expect("an address");
        assert_eq!(
            lease.address(),
            kept[owner],
            "the longest unused comes first"
        );
        assert_eq!(
            lease.record().previous[0].attachment,
            node.id(&format!("s{owner}"))
        );
    }
    assert_eq!(site.kept().await.len(), 2, "those in use are kept");
    node.release("s0").await;
    site.put_pool(
        "prod",
        &PoolRecord {
            sticky_for_s: 0,
            ..pool
        },
    )
    .await;
    let never = give("w", 100_000_000).await;
    assert!(
        matches!(never, Err(IpamError::Exhausted { .. })),
        "{never:?}"
    );
    assert_eq!(
        node.give_pod("s9", pod("cart-0", "u9")).await.address(),
        kept[0]
    );
}

pub(crate) async fn a_pod_that_moves_to_another_pool_leaves_its_address(site: &Site) {
    let two = sticky_pool(&["10.20.2.0/24"]);
    site.put_pool("prod", &sticky_pool(&["10.20.1.0/24"])).await;
    site.put_pool("two", &two).await;
    let node = site.node("n1");
    let ask = |container: &str, pools: &[&str]| Request {
        pools: pools.iter().map(|pool| name(pool)).collect(),
        ..node.ask_for(container, pod("cart-0", "u1"))
    };
    let eyes = Eyes::open();
    let give = async |request: Request| {
        node.allocate_seeing(&request, &eyes)
            .await
            .expect("an address")
    };
    let first = give(ask("a", &["prod"])).await;
    assert_eq!(
        give(ask("b", &["two", "prod"])).await.address(),
        first.address()
    );
    // Also for a container that is started again, which has it still.
    let moved = give(ask("b", &["two"])).await;
    assert_eq!(moved.pool, name("two"));
    assert_eq!(site.kept().await["shop/pod/cart-0/eth0"], [moved.address()]);
    assert_eq!(site.record(first.address()).await.reserved_for, None);
    node.release("b").await;
    site.put_pool(
        "two",
        &PoolRecord {
            state: PoolState::Draining,
            ..two
        },
    )
    .await;
    let back = give(ask("c", &["two", "prod"])).await;
    assert_eq!(back.pool, name("prod"));
    assert_eq!(site.kept().await["shop/pod/cart-0/eth0"], [back.address()]);
    assert_eq!(site.holders().await.len(), 1);
}

pub(crate) async fn what_its_pool_gives_no_more_is_replaced_and_the_rest_stays(site: &Site) {
    let pool = sticky_pool(&["10.20.1.0/24"]);
    site.put_pool("prod", &pool).await;
    let node = site.node("n1");
    let first = node.give_pod("a", pod("cart-0", "u1")).await;
    node.release("a").await;
    let mut both = pool.clone();
    both.subnets.push(subnet("2001:db8:1::/64"));
    site.put_pool("prod", &both).await;
    let second = node.give_pod("b", pod("cart-0", "u1")).await;
    assert_eq!(addresses(&second)[0], first.address());
    assert_eq!(
        site.kept().await["shop/pod/cart-0/eth0"],
        addresses(&second)
    );
    node.release("b").await;
    let range = first.address().to_string().parse().expect("a range");
    both.subnets[0].exclude.push(range);
    site.put_pool("prod", &both).await;
    let third = node.give_pod("c", pod("cart-0", "u1")).await;
    assert_ne!(addresses(&third)[0], first.address());
    assert_eq!(addresses(&third)[1], addresses(&second)[1]);
    assert_eq!(site.kept().await["shop/pod/cart-0/eth0"], addresses(&third));
}

pub(crate) async fn two_nodes_that_keep_it_at_once_keep_one(site: &Site) {
    site.put_pool("prod", &sticky_pool(&["10.20.1.0/24"])).await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    let theirs = two.ask_for("b", pod("cart-0", "u1"));
    two.rig.set(crate::support::rig::Mood::Catching);
    two.allocate(&theirs).await.expect_err("caught");
    two.rig.set(crate::support::rig::Mood::Good);
    let caught = two.rig.caught();
    one.rig.intrude_after(0, caught[0].clone());
    let ours = one.ask_for("a", pod("cart-0", "u1"));
    let error = one
        .ipam
        .allocate(&ours, &Eyes::open(), now())
        .await
        .expect_err("it is there");
    let IpamError::NotProvenGone {
        address, holder, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(holder.attachment, two.id("b"));
    assert_eq!(site.kept().await["shop/pod/cart-0/eth0"], [*address]);
    assert_eq!(site.keys("/berth/v1/wanted/").await.len(), 1);
    two.release("b").await;
    let lease = one.give_pod("a", pod("cart-0", "u1")).await;
    assert_eq!(lease.address(), *address);
    assert!(site.keys("/berth/v1/wanted/").await.is_empty());
}
