//! Asking for one address.

use std::net::IpAddr;

use berth_ipam::{IpamError, Lease};
use berth_store::Write;
use berth_types::{AddressRecord, Record as _, Subnet, keys};

use crate::support::{Node, OneAddress as _, Site, ip, prod, subnet};

async fn ask_for(node: &Node, container: &str, address: IpAddr) -> Result<Lease, IpamError> {
    let mut request = node.ask(container);
    request.exact = vec![address];
    node.allocate(&request).await
}

pub(crate) async fn the_address_asked_for_is_given(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24"), subnet("10.20.2.0/24")], 16)
        .await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    for (node, container, address) in [
        (&one, "a", "10.20.1.77"),
        (&two, "b", "10.20.1.78"),
        (&two, "c", "10.20.2.200"),
    ] {
        let lease = ask_for(node, container, ip(address))
            .await
            .expect("the address");
        assert_eq!(lease.address(), ip(address));
    }
    // One that was held before, and again by a new life of the same container.
    one.release("a").await;
    let lease = ask_for(&two, "d", ip("10.20.1.77"))
        .await
        .expect("the address");
    assert_eq!(lease.record().previous[0].attachment, one.id("a"));
    ask_for(&two, "d", ip("10.20.1.77"))
        .await
        .expect("its own address");
    assert_eq!(site.holders().await.len(), 3);
}

pub(crate) async fn an_address_of_somebody_else_is_refused_with_its_holder(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    let lease = one.give("a").await;
    let before = site.content().await;
    for node in [&one, &two] {
        let error = ask_for(node, "b", lease.address())
            .await
            .expect_err("it is held");
        let IpamError::Held { address, holder } = &error else {
            panic!("{error}")
        };
        assert_eq!(
            (*address, &holder.attachment),
            (lease.address(), &one.id("a"))
        );
        let words = error.to_string();
        assert!(
            words.contains(&lease.address().to_string()) && words.contains("n1/pods/a/eth0"),
            "{words}"
        );
    }
    assert_eq!(site.content().await, before);
}

pub(crate) async fn an_address_that_is_never_given_is_not_in_the_pool(site: &Site) {
    let range = Some("10.20.1.0-10.20.1.199".parse().expect("a range"));
    let exclude = vec!["10.20.1.16/28".parse().expect("a range")];
    site.pool(
        &[Subnet {
            range,
            exclude,
            ..subnet("10.20.1.0/24")
        }],
        16,
    )
    .await;
    let node = site.node("n1");
    for address in [
        "10.20.1.0",
        "10.20.1.1",
        "10.20.1.20",
        "10.20.1.200",
        "10.20.1.255",
        "10.20.2.5",
        "2001:db8::5",
    ] {
        let error = ask_for(&node, "a", ip(address)).await.expect_err(address);
        assert!(
            matches!(&error, IpamError::NotInPool { address: a, pool } if (*a, pool) == (ip(address), &prod())),
            "{address}: {error}"
        );
    }
    assert_eq!(site.content().await.len(), 1, "only the pool");
}

pub(crate) async fn a_reserved_address_is_refused(site: &Site) {
    site.pool(&[subnet("10.20.1.0/30")], 16).await;
    let mut record = AddressRecord::unused(prod());
    record.reserved_for = Some("shop/workload/cart".parse().expect("a reservation"));
    site.write([Write::put(keys::address(ip("10.20.1.2")), record.encode())])
        .await;
    let before = site.content().await;
    let node = site.node("n1");
    let error = ask_for(&node, "a", ip("10.20.1.2"))
        .await
        .expect_err("it is reserved");
    assert!(
        matches!(&error, IpamError::Reserved { reserved_for, .. } if reserved_for.to_string() == "shop/workload/cart"),
        "{error}"
    );
    let error = node
        .allocate(&node.ask("a"))
        .await
        .expect_err("nothing else is there");
    assert!(matches!(error, IpamError::Exhausted { .. }), "{error}");
    assert_eq!(site.content().await, before);
}

pub(crate) async fn asking_for_another_address_gives_up_the_old_one(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let old = node.give("a").await;
    let lease = ask_for(&node, "a", ip("10.20.1.99"))
        .await
        .expect("the address");
    assert_ne!(old.address(), lease.address());
    let holders = site.holders().await;
    assert_eq!(
        holders.into_iter().collect::<Vec<_>>(),
        [(ip("10.20.1.99"), node.id("a"))]
    );
}
