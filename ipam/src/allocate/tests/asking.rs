//! Who may draw from a pool, and whose addresses are kept.

use berth_types::{PodRef, PoolRecord, PoolState};

use super::super::asking::{Asking, Extras, Keep};
use super::{node, now, pod, pool, prod, request};
use crate::{IpamError, NoEvidence, Request, Stickiness};

fn may_draw(pool: &PoolRecord, by: Option<PodRef>, on: &str) -> Result<(), IpamError> {
    let mut asks = request("n1/pods/a/eth0");
    asks.pod = by;
    let name = prod();
    Asking::new(&asks, &name, &NoEvidence, now()).may_draw(pool, &node(on))
}

#[test]
fn a_pool_is_for_the_namespaces_and_nodes_it_names() {
    let free = pool(&["10.0.0.0/24"]);
    let shop = PoolRecord {
        namespaces: vec!["shop".parse().unwrap(), "team-*".parse().unwrap()],
        ..free.clone()
    };
    let rack = PoolRecord {
        nodes: vec!["rack-1-*".parse().unwrap()],
        ..free.clone()
    };
    let both = PoolRecord {
        nodes: rack.nodes.clone(),
        ..shop.clone()
    };
    let of = |namespace: &str| Some(pod(namespace, "web", "u1"));
    let cases = [
        ("all, nobody's", &free, None, "n1", true),
        ("all, any namespace", &free, of("blog"), "n1", true),
        ("its namespace", &shop, of("shop"), "n1", true),
        ("its pattern", &shop, of("team-a"), "n1", true),
        ("another namespace", &shop, of("shopping"), "n1", false),
        ("a container of no pod", &shop, None, "n1", false),
        ("a pod of no namespace", &shop, of(""), "n1", false),
        ("its node", &rack, None, "rack-1-7", true),
        ("another node", &rack, None, "rack-11", false),
        ("both", &both, of("shop"), "rack-1-7", true),
        ("only the namespace", &both, of("shop"), "n1", false),
        ("only the node", &both, of("blog"), "rack-1-7", false),
    ];
    for (case, pool, by, on, may) in cases {
        let answer = may_draw(pool, by, on);
        assert_eq!(answer.is_ok(), may, "case: {case}: {answer:?}");
        let refused = answer.err();
        let right = |error: IpamError| matches!(error, IpamError::NotAdmitted { .. });
        assert!(refused.is_none_or(right), "case: {case}");
    }
}

#[test]
fn a_draining_pool_says_so_only_to_those_whom_it_is_for() {
    let drains = PoolRecord {
        namespaces: vec!["shop".parse().unwrap()],
        state: PoolState::Draining,
        ..pool(&["10.0.0.0/24"])
    };
    let own = may_draw(&drains, Some(pod("shop", "web", "u1")), "n1");
    assert!(matches!(own, Err(IpamError::PoolClosed { .. })), "{own:?}");
    let foreign = may_draw(&drains, None, "n1");
    let is_refused =
        matches!(&foreign, Err(error @ IpamError::NotAdmitted { .. }) if error.is_about_pool());
    assert!(is_refused, "{foreign:?}");
}

fn kept(stickiness: Stickiness, by: Option<PodRef>, pool: &PoolRecord) -> (bool, bool) {
    let asks = Request {
        stickiness,
        pod: by,
        ..request("n1/pods/a/eth0")
    };
    let name = prod();
    let mut asking = Asking::new(&asks, &name, &NoEvidence, now());
    let explicitly = asking.explicitly_sticky();
    let as_pool = asking.to_be_kept(pool);
    for id in explicitly.iter().chain(&as_pool) {
        assert_eq!(id.to_string(), "shop/pod/cart-0/eth0");
        asking.keep = Some(Keep {
            id: id.clone(),
            revision: berth_store::Revision::ABSENT,
            policy: berth_types::ReservationPolicy::Sticky,
            addresses: vec![],
            extras: Extras::default(),
        });
    }
    if asking.keep.is_some() {
        assert_eq!(asking.to_be_kept(pool), None, "once is enough");
    }
    (explicitly.is_some(), as_pool.is_some())
}

#[test]
fn addresses_are_kept_for_pods_with_a_name_as_the_pool_or_the_pod_says() {
    let plain = pool(&["10.0.0.0/24"]);
    let sticky = PoolRecord {
        sticky: true,
        ..plain.clone()
    };
    let cart = || Some(pod("shop", "cart-0", ""));
    let cases = [
        (
            "a plain pool",
            Stickiness::AsPool,
            cart(),
            &plain,
            (false, false),
        ),
        (
            "a sticky pool",
            Stickiness::AsPool,
            cart(),
            &sticky,
            (false, true),
        ),
        (
            "the pod's wish",
            Stickiness::Sticky,
            cart(),
            &plain,
            (true, false),
        ),
        ("both", Stickiness::Sticky, cart(), &sticky, (true, false)),
        (
            "not this pod",
            Stickiness::Loose,
            cart(),
            &sticky,
            (false, false),
        ),
        ("no pod", Stickiness::AsPool, None, &sticky, (false, false)),
        (
            "no pod, but a wish",
            Stickiness::Sticky,
            None,
            &sticky,
            (false, false),
        ),
        (
            "a pod without a name",
            Stickiness::AsPool,
            Some(pod("shop", "", "u1")),
            &sticky,
            (false, false),
        ),
    ];
    for (case, stickiness, by, pool, expected) in cases {
        assert_eq!(kept(stickiness, by, pool), expected, "case: {case}");
    }
}
