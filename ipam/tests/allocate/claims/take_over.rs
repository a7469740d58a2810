//! A fixed address moves from an earlier sandbox, or is waited for.

use berth_ipam::{Ended, IpamError, Probing, Released};

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
        Probing::Takeovers,
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

pub(crate) async fn an_address_that_was_waited_for_is_doubtful_until_nobody_answers(site: &Site) {
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
    let request = two.ask_for("s2", pod("cart-0", "u1"));
    let lease = two.allocate_seeing(&request, &open).await.expect("given");
    assert_eq!(lease.address(), first.address());
    assert!(lease.addresses[0].record.unproven, "it is to be probed");
    assert!(site.keys(WANTED).await.is_empty());
    // It is kept out of use: whoever comes next has to ask again, also on the node it was on.
    let heard = two.note(&request, lease, &[first.address()]).await;
    assert!(heard.addresses[0].record.unproven);
    two.release("s2").await;
    let request = one.ask_for("s3", pod("cart-0", "u1"));
    let blind = Eyes::finding(Ended::Gone, Probing::Nothing);
    let error = one.allocate_seeing(&request, &blind).await;
    assert!(
        matches!(error, Err(IpamError::Doubtful { .. })),
        "{error:?}"
    );
    let lease = one.allocate_seeing(&request, &open).await.expect("given");
    assert!(lease.addresses[0].record.unproven);
    let silent = one.note(&request, lease, &[]).await;
    assert!(!site.record(silent.address()).await.unproven);
    one.release("s3").await;
    assert!(!site.record(silent.address()).await.unproven);
}

pub(crate) async fn a_caller_that_asks_only_for_unproven_addresses_takes_anothers_word(
    site: &Site,
) {
    site.put_pool("prod", &sticky_pool(&["10.20.1.0/24"])).await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    one.give_pod("s1", pod("cart-0", "u1")).await;
    let eyes = Eyes::finding(Ended::Gone, Probing::Unproven);
    let request = two.ask_for("s2", pod("cart-0", "u1"));
    let error = two.allocate_seeing(&request, &eyes).await;
    assert!(matches!(error, Err(IpamError::NotProvenGone { .. })));
    one.release("s1").await;
    let lease = two.allocate_seeing(&request, &eyes).await.expect("given");
    assert!(!lease.addresses[0].record.unproven);
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
    let blind = Eyes::finding(Ended::Gone, Probing::Nothing);
    let error = node
        .allocate_seeing(&node.ask("x"), &blind)
        .await
        .expect_err("doubtful");
    let IpamError::Exhausted { pools } = &error else {
        panic!("{error}")
    };
    assert_eq!((pools[0].held, pools[0].unproven), (3, 2));
    let request = node.ask("x");
    let lease = node
        .allocate_seeing(&request, &Eyes::open())
        .await
        .expect("on condition");
    assert_eq!(lease.address().to_string(), "10.20.1.2");
    assert!(site.record(lease.address()).await.unproven);
    // It answers: the next one is given another.
    node.note(&request, lease.clone(), &[lease.address()]).await;
    node.release("x").await;
    let request = node.ask("y");
    let lease = node
        .allocate_seeing(&request, &Eyes::open())
        .await
        .expect("the other");
    assert_eq!(lease.address().to_string(), "10.20.1.3");
    let proven = node.note(&request, lease.clone(), &[]).await;
    assert!(!site.record(lease.address()).await.unproven);
    assert_eq!(known(&proven).revision, Some(proven.revision));
    let released = node
        .ipam
        .release(&node.id("y"), Some(&known(&proven)), now())
        .await;
    assert!(matches!(released, Ok(Released::Freed { .. })));
    assert_eq!(node.give("z").await.address(), lease.address());
}

pub(crate) async fn what_was_heard_is_noted_only_while_the_address_is_ours(site: &Site) {
    site.put_pool("prod", &sticky_pool(&["10.20.1.0/24"])).await;
    let node = site.node("n1");
    let request = node.ask("x");
    let lease = node
        .allocate_seeing(&request, &Eyes::open())
        .await
        .expect("an address");
    node.release("x").await;
    let answered = [lease.address()];
    let error = node.ipam.note_wire(&request, lease, &answered).await;
    assert!(
        matches!(error, Err(IpamError::Contended { .. })),
        "{error:?}"
    );
    assert!(!site.record(answered[0]).await.unproven);
}
