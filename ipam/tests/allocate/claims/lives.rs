//! A container's id may live several times; only the life that holds an address can lose it.

use berth_ipam::{Known, Released, Request, Stickiness, pools};
use berth_types::{BlockSize, PodRef, PoolRecord};

use crate::support::{OneAddress as _, Site, ip, known, now, subnet};

pub(crate) async fn the_same_incarnation_gets_the_same_address(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let request = node.ask("a");
    let lease = node.allocate(&request).await.expect("an address");
    let before = site.content().await;
    let again = node.allocate(&request).await.expect("an address");
    assert_eq!(again, lease);
    let mut exact = request.clone();
    exact.exact = vec![lease.address()];
    assert_eq!(node.allocate(&exact).await.expect("an address"), lease);
    assert_eq!(site.content().await, before, "nothing is written");
}

pub(crate) async fn a_new_life_keeps_the_address_and_the_old_one_cannot_free_it(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let old = node.give("a").await;
    let new = node.give("a").await;
    assert_eq!(new.address(), old.address());
    assert!(new.revision > old.revision);
    let before = site.content().await;
    let id = node.id("a");
    let old = known(&old);
    for memory in [&old, &Known::unfinished(old.incarnation.clone())] {
        let released = node
            .ipam
            .release_only(&id, memory, now())
            .await
            .expect("release");
        assert_eq!(released, Released::Nothing);
    }
    assert_eq!(site.content().await, before);
    let released = node
        .ipam
        .release_only(&id, &known(&new), now())
        .await
        .expect("release");
    assert!(matches!(released, Released::Freed { .. }));
    assert!(site.holders().await.is_empty());
}

pub(crate) async fn an_address_kept_for_one_pod_is_not_passed_on_to_another(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let [n1, n2] = ["n1", "n2"].map(|name| site.node(name));
    let ask = |mut request: Request, pod: &str, stickiness| {
        request.pod = Some(PodRef {
            namespace: "shop".to_owned(),
            name: pod.to_owned(),
            uid: pod.to_owned(),
        });
        request.stickiness = stickiness;
        request
    };
    let web = |request| ask(request, "web-0", Stickiness::Sticky);
    let kept = n1.allocate(&web(n1.ask("a"))).await.expect("an address");
    // The container lives again as another pod, and as no pod that keeps its address.
    let other = ask(n1.ask("a"), "other", Stickiness::AsPool);
    let other = n1.allocate(&other).await.expect("an address");
    assert_ne!(other.address(), kept.address());
    let back = n2.allocate(&web(n2.ask("b"))).await.expect("an address");
    assert_eq!(back.address(), kept.address());
    // And as a pod that has an address of its own.
    n2.release("b").await;
    let web = n1.allocate(&web(n1.ask("a"))).await.expect("an address");
    assert_eq!(web.address(), kept.address());
    assert_eq!(site.holders().await.len(), 1);
}

pub(crate) async fn a_second_release_does_nothing(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    let lease = node.give("a").await;
    let (id, memory) = (node.id("a"), known(&lease));
    node.ipam
        .release(&id, Some(&memory), now())
        .await
        .expect("release");
    let before = site.content().await;
    for memory in [Some(&memory), None] {
        let released = node
            .ipam
            .release(&id, memory, now())
            .await
            .expect("release");
        assert_eq!(released, Released::Nothing);
    }
    assert_eq!(site.content().await, before);
    assert_eq!(node.release("never-there").await, Released::Nothing);
}

pub(crate) async fn a_late_release_does_not_touch_the_next_holder(site: &Site) {
    site.pool(&[subnet("10.20.1.0/30")], 16).await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    let first = one.give("a").await;
    one.release("a").await;
    let second = two.give("b").await;
    assert_eq!(
        (first.address(), second.address()),
        (ip("10.20.1.2"), ip("10.20.1.2"))
    );
    let before = site.content().await;
    let (id, memory) = (one.id("a"), known(&first));
    let only = one
        .ipam
        .release_only(&id, &memory, now())
        .await
        .expect("release");
    let any = one
        .ipam
        .release(&id, Some(&memory), now())
        .await
        .expect("release");
    let journalled = one
        .ipam
        .release_or_journal(&id, Some(&memory), now())
        .await
        .expect("release");
    assert_eq!(
        (only, any, journalled),
        (
            Released::Nothing,
            Released::Nothing,
            Some(Released::Nothing)
        )
    );
    assert_eq!(site.content().await, before);
}

pub(crate) async fn a_life_in_another_pool_gives_up_the_old_address(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let other = PoolRecord::new(vec![subnet("10.30.1.0/24")], BlockSize::default());
    let name = "other".parse().expect("a name");
    pools::create(&site.open(), &name, &other)
        .await
        .expect("make the pool");
    let node = site.node("n1");
    let old = node.give("a").await;
    let mut request = node.ask("a");
    request.pools = vec![name.clone()];
    let new = node.allocate(&request).await.expect("an address");
    assert_eq!(new.pool, name);
    let holders = site.holders().await;
    assert_eq!(holders.into_keys().collect::<Vec<_>>(), [new.address()]);
    assert!(site.record(old.address()).await.holder.is_none());
}
