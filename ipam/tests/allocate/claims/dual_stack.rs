//! An address of each family, in one transaction or not at all.

use berth_ipam::{IpamError, Known, Scope};
use berth_types::{BlockSize, Family, MacAddr, PoolRecord};

use crate::support::cast::{addresses, pool_of, sticky_pool};
use crate::support::rig::Mood;
use crate::support::{Site, ip, known, now};

pub(crate) async fn one_of_each_family_is_one_request(site: &Site) {
    let size = BlockSize::default();
    let pool = pool_of(&["10.20.1.0/24", "2001:db8:1::/64"]);
    site.put_pool(
        "prod",
        &PoolRecord {
            block_size: size,
            ..pool
        },
    )
    .await;
    let node = site.node("n1");
    node.give("first").await;
    node.rig.requests();
    for n in 0..20 {
        let lease = node.give(&format!("c{n}")).await;
        assert_eq!(node.rig.requests(), 1, "container {n}");
        let [four, six] = addresses(&lease)[..] else {
            panic!("{lease:?}")
        };
        assert!(four.is_ipv4() && six.is_ipv6(), "{lease:?}");
        assert_eq!(lease.mac, MacAddr::of_address(four));
        let id = node.id(&format!("c{n}"));
        let memory = known(&lease);
        node.ipam
            .release(&id, Some(&memory), now())
            .await
            .expect("release");
        assert_eq!(node.rig.requests(), 1, "release {n}");
    }
    assert_eq!(site.holders().await.len(), 2, "the first's");
}

pub(crate) async fn when_one_family_is_used_up_nothing_is_left_behind(site: &Site) {
    let full = [
        (Family::V6, ["10.20.1.0/24", "2001:db8:1::/126"], 2),
        (Family::V4, ["10.20.1.0/30", "2001:db8:1::/64"], 1),
    ];
    for (family, cidrs, size) in full {
        site.wipe().await;
        site.put_pool("prod", &pool_of(&cidrs)).await;
        let [one, two] = ["n1", "n2"].map(|node| site.node(&format!("{node}-{family}")));
        for n in 0..size {
            one.give(&format!("c{n}")).await;
        }
        let before = site.content().await;
        for node in [&one, &two] {
            let error = node.allocate(&node.ask("more")).await.expect_err("full");
            let IpamError::Exhausted { pools } = &error else {
                panic!("{error}")
            };
            assert_eq!((pools[0].family, pools[0].held), (Some(family), size));
            assert!(error.to_string().contains(&family.to_string()), "{error}");
        }
        assert_eq!(site.content().await, before);
        one.release("c0").await;
        assert_eq!(addresses(&two.give("more").await).len(), 2);
    }
}

pub(crate) async fn a_pool_of_the_newer_family_alone_gives_one_address(site: &Site) {
    site.put_pool("prod", &pool_of(&["2001:db8:1::/125"])).await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    let mut given = Vec::new();
    for n in 0..6 {
        let node = [&one, &two][n % 2];
        let lease = node.give(&format!("c{n}")).await;
        assert_eq!(lease.mac, MacAddr::of_address(lease.addresses[0].address));
        given.extend(addresses(&lease));
    }
    given.sort();
    let all: Vec<_> = (2..=7).map(|n| ip(&format!("2001:db8:1::{n}"))).collect();
    assert_eq!(given, all);
    let full = two.allocate(&two.ask("more")).await;
    assert!(matches!(full, Err(IpamError::Exhausted { .. })), "{full:?}");
}

pub(crate) async fn a_killed_claim_of_both_takes_neither(site: &Site) {
    for pool in [pool_of, sticky_pool] {
        site.wipe().await;
        site.put_pool("prod", &pool(&["10.20.1.0/29", "2001:db8:1::/64"]))
            .await;
        let node = site.node(&format!("n-{}", pool(&["10.0.0.0/24"]).sticky));
        let request = node.ask_for("a", crate::support::cast::pod("cart-0", "u1"));
        node.rig.set(Mood::Catching);
        node.allocate(&request).await.expect_err("it is killed");
        node.rig.set(Mood::Good);
        let memory = Known::unfinished(request.incarnation.clone());
        let freed = node.ipam.release_unfinished(
            &request.attachment,
            &memory.incarnation,
            Scope::Attachment,
            now(),
        );
        freed.await.expect("release");
        if site.server.is_some() {
            for late in node.rig.caught() {
                berth_store::Store::commit(&node.rig.real, &late)
                    .await
                    .expect("an answer");
            }
        }
        assert!(site.holders().await.is_empty());
        assert!(site.kept().await.is_empty());
    }
}
