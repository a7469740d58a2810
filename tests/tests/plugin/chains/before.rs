//! Berth behind Debian's `loopback` and `tuning`, and between them and others. `tuning` of 1.1.1
//! wants a result from before it, so that it cannot come first; and `loopback` leaves out what
//! versions before 1.0.0 want of an address.

use serde_json::json;

use super::after::tuning;
use super::{Chain, drivers};
use crate::families::addresses;
use crate::ground::ip;

#[test]
fn case_36_loopback_and_tuning_may_come_first_and_others_last() {
    for (driver, ground) in drivers() {
        let node = ground.node();
        let others = vec![tuning(node), json!({"type": "sbr"})];
        let mut chain = Chain::new(&ground, others);
        let first = [
            json!({"type": "loopback"}),
            json!({
                "type": "tuning", "dataDir": node.file("tuning-before"),
                "sysctl": {"net.ipv4.conf.all.arp_notify": "1"},
            }),
        ];
        chain.plugins.splice(0..0, first);
        let container = ground.container("a");

        let result = chain.add(&container, "eth0").expect(driver);

        let given = addresses(&result);
        assert_eq!(given[..2], ["127.0.0.1", "::1"].map(ip), "{driver}");
        assert_eq!(ground.held(), given[2..], "{driver}");
        container.assert_connected(given[2]);
        let at = &result["ips"][2]["interface"];
        let own = at.as_u64().map(|at| format!("/interfaces/{at}/name"));
        let own = own.and_then(|own| result.pointer(&own));
        assert_eq!(own, Some(&json!("eth0")), "{driver}: {result}");
        chain.check(&container, "eth0", &result);
        chain.del(&container, "eth0", Some(&result));
        assert_eq!(container.netns.links(), [""; 0], "{driver}");
        ground.assert_clean(driver);
    }
}
