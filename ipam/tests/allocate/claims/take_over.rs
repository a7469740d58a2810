//! A fixed address moves from an earlier sandbox, or is waited for.

use berth_ipam::{Ended, IpamError, OnWire, Released};
use berth_types::MacAddr;

use crate::support::cast::{Eyes, addresses, pod, sticky_pool};
use crate::support::rig::Mood;
use crate::support::{OneAddress as _, Site, known, now};

const WANTED: &str = "/berth/v1/wanted/";

pub(crate) async fn a_new_sandbox_takes_both_addresses_of_the_one_it_ended(site: &Site) {
    site.put_pool("prod", &sticky_pool(&["10.20.1.0/24", "2001:db8:1::/64"]))
        .await;
    let node = site.node("n1");
    let first = node.give_pod("s1", pod("cart-0", "u1")).await;
    let eyes = Eyes::open();
    let request = node.ask_for("s2", pod("cart-0", "u1"));
    // Also when the answer is lost.
    node.rig.set(Mood::Losing(1));
    let lease = node
        .allocate_seeing(&request, &eyes)
        .await
        .expect("its addresses");
    assert_eq!(addresses(&lease), addresses(&first));
    assert_eq!(eyes.asked(), ["end n1/pods/s1/eth0"]);
    for leased in &lease.addresses {
        assert_eq!(leased.record.previous[0].attachment, node.id("s1"));
    }
    let late = node
        .ipam
        .release(&node.id("s1"), Some(&known(&first)), now())
        .await;
    assert_eq!(late.expect("a late DEL"), Released::Nothing);
    let holders = site.holders().await;
    assert!(
        holders.values().all(|id| *id == node.id("s2")),
        "{holders:?}"
    );
    assert_eq!(holders.len(), 2);
}

pub(crate) async fn a_sandbox_that_cannot_be_ended_keeps_its_address(site: &Site) {
    site.put_pool("prod", &sticky_pool(&["10.20.1.0/24"])).await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    let first = one.give_pod("s1", pod("cart-0", "u1")).await;
    let stands = Eyes::finding(
        Ended::Stands {
            reason: "it is busy".into(),
        },
        OnWire::Silent,
    );
    let open = Eyes::open();
    let cases = [
        (
            "it stands",
            one.ask_for("s2", pod("cart-0", "u1")),
            &one,
            &stands,
            true,
        ),
        (
            "no uid",
            one.ask_for("s2", pod("cart-0", "")),
            &one,
            &open,
            false,
        ),
        (
            "another uid",
            one.ask_for("s2", pod("cart-0", "u2")),
            &one,
            &open,
            false,
        ),
        (
            "another node",
            two.ask_for("s2", pod("cart-0", "u1")),
            &two,
            &open,
            false,
        ),
    ];
    for (case, request, node, eyes, is_tried) in cases {
        let error = node.allocate_seeing(&request, eyes).await.expect_err(case);
        let IpamError::NotProvenGone {
            address, holder, ..
        } = &error
        else {
            panic!("case: {case}: {error}")
        };
        assert_eq!(
            (*address, &holder.attachment),
            (first.address(), &one.id("s1")),
            "{case}"
        );
        assert!(error.to_string().contains("n1/pods/s1/eth0"), "{error}");
        assert_eq!(eyes.asked().is_empty(), !is_tried, "case: {case}");
        assert_eq!(site.keys(WANTED).await.len(), 1, "case: {case}");
        assert_eq!(site.holders().await.len(), 1, "case: {case}");
    }
}

pub(crate) async fn an_address_that_was_waited_for_is_taken_once_nobody_answers(site: &Site) {
    site.put_pool("prod", &sticky_pool(&["10.20.1.0/24"])).await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    let first = one.give_pod("s1", pod("cart-0", "u1")).await;
    let open = Eyes::open();
    let waits = two.ask_for("s2", pod("cart-0", "u1"));
    let error = two.allocate_seeing(&waits, &open).await;
    assert!(
        matches!(error, Err(IpamError::NotProvenGone { .. })),
        "{error:?}"
    );
    one.release("s1").await;
    let answers = Eyes::finding(
        Ended::Gone,
        OnWire::Answered(MacAddr::of_address(first.address())),
    );
    let request = two.ask_for("s2", pod("cart-0", "u1"));
    let error = two
        .allocate_seeing(&request, &answers)
        .await
        .expect_err("it answers");
    assert!(matches!(error, IpamError::Conflict { .. }), "{error}");
    assert_eq!(answers.asked(), [format!("probe {}", first.address())]);
    let lease = two
        .allocate_seeing(&request, &open)
        .await
        .expect("it is silent");
    assert_eq!(lease.address(), first.address());
    assert_eq!(open.asked(), [format!("probe {}", first.address())]);
    assert!(site.keys(WANTED).await.is_empty());
}

pub(crate) async fn another_interface_never_takes_over(site: &Site) {
    site.put_pool("prod", &sticky_pool(&["10.20.1.0/24"])).await;
    let node = site.node("n1");
    let first = node.give_pod("s1", pod("cart-0", "u1")).await;
    let mut request = node.ask_for("s1", pod("cart-0", "u1"));
    request.attachment.ifname = "eth1".parse().expect("a name");
    request.exact = vec![first.address()];
    let eyes = Eyes::open();
    let error = node
        .allocate_seeing(&request, &eyes)
        .await
        .expect_err("it is eth0's");
    assert!(matches!(error, IpamError::Reserved { .. }), "{error}");
    assert_eq!(eyes.asked(), Vec::<String>::new());
}

pub(crate) async fn doubtful_addresses_come_last_and_only_while_nobody_answers(site: &Site) {
    let mut pool = sticky_pool(&["10.20.1.0/29"]);
    pool.sticky = false;
    site.put_pool("prod", &pool).await;
    for doubtful in ["10.20.1.2", "10.20.1.3"] {
        site.put_address(doubtful, |record| record.unproven = true)
            .await;
    }
    let node = site.node("n1");
    for n in 0..3 {
        let last = node.give(&format!("c{n}")).await.address().to_string();
        assert!(last.as_str() > "10.20.1.3", "{last}");
    }
    let answers = OnWire::Answered(MacAddr::of_address(
        "10.20.1.2".parse().expect("an address"),
    ));
    for (wire, probes) in [(OnWire::Unchecked, 1), (answers, 2)] {
        let eyes = Eyes::finding(Ended::Gone, wire);
        let error = node
            .allocate_seeing(&node.ask("x"), &eyes)
            .await
            .expect_err("doubtful");
        let IpamError::Exhausted { pools } = &error else {
            panic!("{error}")
        };
        assert_eq!((pools[0].held, pools[0].unproven), (3, 2));
        assert_eq!(eyes.asked().len(), probes);
    }
    let lease = node
        .allocate_seeing(&node.ask("x"), &Eyes::open())
        .await
        .expect("silent");
    assert_eq!(lease.address().to_string(), "10.20.1.2");
    assert!(!site.record(lease.address()).await.unproven);
}
