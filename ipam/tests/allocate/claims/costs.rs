//! What each way to an address costs, in requests to the store.
//!
//! | way | requests |
//! |---|---|
//! | any address, any number of families | 1 |
//! | an address asked for by name, its pool of one family | 3 |
//! | of a workload's set | 5 |
//! | the first of a pod in a sticky pool | 2 |
//! | a pod's kept address again | 6 |
//! | the same, from its earlier sandbox | 7 |
//!
//! Once the node's hint knows the pool. The last four may cost less one day, never more.

use berth_ipam::Request;

use crate::support::cast::{Eyes, pod, sticky_pool};
use crate::support::{Node, Site, ip};

async fn cost(node: &Node, request: &Request) -> usize {
    node.rig.requests();
    node.allocate_seeing(request, &Eyes::open())
        .await
        .expect("an address");
    node.rig.requests()
}

pub(crate) async fn each_way_costs_no_more_than_the_table_says(site: &Site) {
    site.put_pool("prod", &sticky_pool(&["10.20.1.0/24"])).await;
    site.reserve("shop/workload/cart", &["10.20.1.50"]).await;
    let node = site.node("n1");
    node.give("first").await;
    let exact = Request {
        exact: vec![ip("10.20.1.77")],
        ..node.ask("b")
    };
    let reserved = Request {
        reservation: Some("shop/workload/cart".parse().expect("an id")),
        ..node.ask("c")
    };
    let mut costs = Vec::new();
    for request in [
        node.ask("a"),
        exact,
        reserved,
        node.ask_for("s1", pod("cart-0", "u1")),
    ] {
        costs.push(cost(&node, &request).await);
    }
    node.release("s1").await;
    costs.push(cost(&node, &node.ask_for("s2", pod("cart-0", "u2"))).await);
    costs.push(cost(&node, &node.ask_for("s3", pod("cart-0", "u2"))).await);
    assert_eq!(costs, [1, 3, 5, 2, 6, 7]);
}
