//! What an allocation costs a cluster.

use crate::support::{Site, block_on, known, now, subnet};

#[test]
fn on_etcd_an_allocation_and_a_release_are_one_request_each() {
    let site = Site::etcd();
    let server = site.server.as_ref().expect("a server");
    block_on(async {
        site.pool(&[subnet("10.20.1.0/24")], 16).await;
        let node = site.node("n1");
        // The first looks around.
        node.give("first").await;
        let before = server.answered();
        let mut leases = Vec::new();
        for n in 0..10 {
            leases.push(node.give(&format!("c{n}")).await);
        }
        let after = server.answered();
        assert!(
            (after - before - 10.0).abs() < 0.5,
            "{} requests for 10",
            after - before
        );
        for (n, lease) in leases.iter().enumerate() {
            let id = node.id(&format!("c{n}"));
            node.ipam
                .release(&id, Some(&known(lease)), now())
                .await
                .expect("release");
        }
        let released = server.answered();
        assert!(
            (released - after - 10.0).abs() < 0.5,
            "{} requests for 10",
            released - after
        );
        // Into the next block, which is claimed with its first address.
        for n in 0..40 {
            node.give(&format!("more-{n}")).await;
        }
        let more = server.answered();
        assert!(
            more - released <= 44.0,
            "{} requests for 40",
            more - released
        );
        assert_eq!(site.holders().await.len(), 41);
    });
}
