//! Operators take addresses away.

use berth_ipam::operator::{self, Committed};
use berth_store::Write;
use berth_types::{Record as _, SchemaVersion, WantedRecord, keys};

use super::{held, id, put};
use crate::support::{Site, ip, now, subnet};

pub(crate) async fn a_release_grants_the_wish_and_keeps_reservation_and_history(site: &Site) {
    site.pool(&[subnet("10.20.1.0/24")], 16).await;
    let address = ip("10.20.1.9");
    let mut record = held(address, "old");
    record.reserved_for = Some(id("shop/workload/cart"));
    let wish = WantedRecord {
        v: SchemaVersion,
        attachment: "n1/pods/new/eth0".parse().expect("an id"),
        pod: None,
        holder: "n9/pods/old/eth0".parse().expect("an id"),
        since: now(),
    };
    site.write([
        put(address, &record),
        Write::put(keys::wanted(address), wish.encode()),
    ])
    .await;
    let store = site.open();
    let view = operator::look(&store, &[address].into())
        .await
        .expect("look");
    let [release] = operator::plan(&view).releases.try_into().expect("one");
    let ended = release.commit(&store, now()).await.expect("release");
    assert!(matches!(ended, Committed::Released(_)));
    let after = site.record(address).await;
    assert_eq!(after.holder, None);
    assert_eq!(after.reserved_for, record.reserved_for);
    assert_eq!(after.previous.len(), 1);
    assert!(!site.content().await.contains_key(&keys::wanted(address)));
}
