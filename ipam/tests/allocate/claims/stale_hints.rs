//! What a node believes may be wrong about anything; it costs requests and never an address.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;

use berth_ipam::operator::{self, Committed};
use berth_ipam::pools;
use berth_store::Write;
use berth_types::{BlockRecord, Record as _, SchemaVersion, keys};

use crate::support::{Node, OneAddress as _, Site, now, prod, subnet};

/// Gives addresses to `count` new containers; none may be anybody's already.
async fn give_fresh(site: &Site, node: &Node, name: &str, count: usize) -> Vec<IpAddr> {
    let mut held: BTreeSet<_> = site.holders().await.into_keys().collect();
    let mut given = Vec::new();
    for n in 0..count {
        let address = node.give(&format!("{name}-{n}")).await.address();
        assert!(held.insert(address), "{name}: {address} is held already");
        given.push(address);
    }
    assert_eq!(site.holders().await.len(), held.len(), "{name}");
    given
}

pub(crate) async fn a_lost_or_garbled_hint_costs_nothing_but_a_look(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    give_fresh(site, &node, "first", 3).await;
    let [hint] = site.files("n1", "prod.hint").try_into().expect("one hint");
    let whole = fs::read(&hint).expect("the hint");
    for (n, garbage) in [
        None,
        Some(vec![]),
        Some(b"\x00\xff garbage".to_vec()),
        Some(whole[..whole.len() / 2].to_vec()),
        // One bit of it is wrong.
        Some(
            whole
                .iter()
                .enumerate()
                .map(|(n, b)| if n == 99 { b ^ 1 } else { *b })
                .collect(),
        ),
        // Left over from a longer one.
        Some([whole.as_slice(), b"}}"].concat()),
        // As it was long ago.
        Some(whole),
    ]
    .into_iter()
    .enumerate()
    {
        match garbage {
            None => fs::remove_file(&hint).expect("remove the hint"),
            Some(bytes) => fs::write(&hint, bytes).expect("garble the hint"),
        }
        give_fresh(site, &node, &format!("again-{n}"), 2).await;
    }
}

pub(crate) async fn an_address_another_node_took_is_passed_over(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let [one, two] = ["n1", "n2"].map(|name| site.node(name));
    let [mine] = give_fresh(site, &one, "mine", 1)
        .await
        .try_into()
        .expect("one");
    // The rest of the block goes to another node, address by address.
    let first: u32 = match mine {
        IpAddr::V4(v4) => u32::from(v4) & !15,
        IpAddr::V6(_) => panic!("a v4 pool"),
    };
    for n in 0..16 {
        let mut request = two.ask(&format!("theirs-{n}"));
        request.exact = vec![IpAddr::from((first + n).to_be_bytes())];
        // Its network address, gateway and our own are refused.
        drop(two.allocate(&request).await);
    }
    assert!(site.holders().await.len() >= 14);
    give_fresh(site, &one, "more", 5).await;
}

pub(crate) async fn an_address_the_operator_released_is_given_once(site: &Site) {
    site.pool(&[subnet("10.20.1.0/28")], 16).await;
    let node = site.node("n1");
    let given = give_fresh(site, &node, "c", 13).await;
    let store = site.open();
    let wanted = given[3..5].iter().copied().collect();
    let plan = operator::plan(&operator::look(&store, &wanted).await.expect("look"));
    assert_eq!(plan.releases.len(), 2);
    for release in &plan.releases {
        let done = release.commit(&store, now()).await.expect("release");
        assert!(matches!(done, Committed::Released(_)), "{done:?}");
        let again = release.commit(&store, now()).await.expect("release");
        assert_eq!(again, Committed::Changed);
    }
    let again: BTreeSet<_> = give_fresh(site, &node, "again", 2)
        .await
        .into_iter()
        .collect();
    assert_eq!(again, wanted);
    // The old containers' own releases come late.
    node.release("c-3").await;
    node.release("c-4").await;
    assert_eq!(site.holders().await.len(), 13);
}

pub(crate) async fn a_block_another_node_claimed_is_left_to_it(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let node = site.node("n1");
    give_fresh(site, &node, "c", 1).await;
    // Every block that the node has not got goes to another before the node claims one.
    let record = pools::get(&site.open(), &prod())
        .await
        .expect("the pool")
        .record;
    let content = site.content().await;
    let claim = BlockRecord {
        v: SchemaVersion,
        node: "n2".parse().expect("a name"),
    };
    let keys = record
        .blocks()
        .map(|block| keys::block(&prod(), block.first));
    let claims: Vec<_> = keys
        .filter(|key| !content.contains_key(key))
        .map(|key| Write::put(key, claim.encode()))
        .collect();
    assert_eq!(claims.len(), 15);
    site.write(claims).await;
    let blocks = |content: &std::collections::BTreeMap<String, _>| {
        content
            .keys()
            .filter(|key| key.starts_with(keys::BLOCKS))
            .cloned()
            .collect::<Vec<_>>()
    };
    let before = site.content().await;
    // The node's own 14 or so, then borrowed ones.
    give_fresh(site, &node, "more", 40).await;
    let after = site.content().await;
    assert_eq!(blocks(&after), blocks(&before));
    for key in blocks(&before) {
        assert_eq!(after[&key], before[&key], "{key}");
    }
}

pub(crate) async fn a_pool_made_anew_with_other_blocks_gives_addresses(site: &Site) {
    let node = site.node("n1");
    for (n, size) in [16, 4, 64, 1, 16].into_iter().enumerate() {
        site.pool(&[subnet("10.20.1.0/25")], size).await;
        give_fresh(site, &node, &format!("c{n}"), 20).await;
        for m in 0..20 {
            node.release(&format!("c{n}-{m}")).await;
        }
        pools::drain(&site.open(), &prod()).await.expect("drain");
        let pool = pools::get(&site.open(), &prod()).await.expect("the pool");
        pools::delete(&site.open(), &pool).await.expect("delete");
    }
}

pub(crate) async fn a_hint_that_says_everything_is_free_makes_no_duplicate(site: &Site) {
    site.pool(&[subnet("10.20.1.0/27")], 16).await;
    let node = site.node("n1");
    node.give("first").await;
    let [hint] = site.files("n1", "prod.hint").try_into().expect("one hint");
    let early = fs::read(&hint).expect("the hint");
    for n in 0..28 {
        // Every call begins with the beliefs of the very first.
        fs::write(&hint, &early).expect("set the hint back");
        give_fresh(site, &node, &format!("c{n}"), 1).await;
    }
    assert_eq!(site.holders().await.len(), 29);
}

pub(crate) async fn hints_that_cannot_be_kept_cost_requests_and_nothing_else(site: &Site) {
    let mut half = subnet("2001:db8::/64");
    half.exclude = vec!["2001:db8::/65".parse().expect("a range")];
    site.pool(&[half.clone()], 16).await;
    let node = site.node("n1");
    let kept = node.give("a").await;
    assert!(half.is_usable(kept.address()));
    // From here on nothing can be written there, whoever the user is.
    let hints = site.state("n1").join("hints");
    fs::remove_dir_all(&hints).expect("remove the hints");
    fs::write(&hints, "").expect("block the folder");
    for name in ["b", "c", "d"] {
        let lease = node.give(name).await;
        assert!(half.is_usable(lease.address()), "{}", lease.address());
    }
    assert_eq!(site.holders().await.len(), 4);
    for name in ["a", "b", "c", "d"] {
        node.release(name).await;
    }
    assert!(site.holders().await.is_empty());
}
