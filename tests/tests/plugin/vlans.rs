//! VLANs, as far as every kernel shows them; the rest is in `on_debian`.

use serde_json::json;

use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE};

/// Whichever it is, nothing stays behind.
#[test]
fn a_vlan_is_served_or_the_module_that_the_kernel_lacks_is_named() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    ground.create_pool("tagged", &["--subnet", "10.21.0.0/24", "--vlan", "7"]);
    let containers = [
        ground.container("a").with("/vlan", json!(7)),
        ground.container("b").with("/ipam/pool", json!("tagged")),
    ];
    for container in &containers {
        let reply = container.add();
        if reply.status.success() {
            assert!(ground.node().netns().links().len() > 1, "a sub-interface");
        } else {
            let error = reply.failure();
            assert_names(&error, 11, &["vlan", "7", "802.1Q"]);
            assert!(error.details.contains("modprobe 8021q"), "{error:?}");
            assert_eq!(container.netns.links(), [""; 0]);
        }
        container.del().success();
        ground.assert_clean("a VLAN");
    }
}

#[test]
fn case_53_a_vlan_that_cannot_be_is_7() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for vlan in [json!(0), json!(4095), json!(-1), json!(7.5), json!("7")] {
        let shown = vlan.to_string();
        let container = ground.container("a").with("/vlan", vlan);
        container.refused(7, &["vlan", &shown]);
    }
}

#[test]
fn subnets_in_different_vlans_are_refused_together_and_nothing_stays() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    ground.create_torn_pool();
    let container = ground.container("a").with("/ipam/pool", json!("torn"));
    container.refused(7, &["vlan", "7", "8"]);
}
