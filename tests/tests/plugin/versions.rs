//! Every version of the specification: results and errors in their shapes, which every call of
//! these tests is checked against.

use serde_json::json;

use crate::ground::{Ground, Kind, WIDE};
use crate::schema::VERSIONS;

#[test]
fn results_and_errors_have_the_shape_of_their_version() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let dns =
        json!({"nameservers": ["10.0.0.53"], "search": ["example.org"], "options": ["ndots:2"]});
    for version in VERSIONS {
        let container = ground
            .container("a")
            .with("/cniVersion", json!(version))
            .with("/dns", dns.clone());
        let result = container.add().success().clone();
        assert_eq!(result["cniVersion"], version);
        assert_eq!(result["dns"], dns);
        let ip = &result["ips"][0];
        let old = version < "1.0.0";
        assert_eq!(ip.get("version").is_some(), old, "{version}: {ip}");
        let interface = &result["interfaces"][0];
        assert_eq!(
            interface.get("mtu").is_some(),
            version == "1.1.0",
            "{version}: {interface}"
        );
        if version != "0.3.1" {
            container.check(&result).success();
        }
        container.del().success();

        let refused = container.with("/ipam/pool", json!("nowhere"));
        let reply = refused.add();
        assert_eq!(reply.json["cniVersion"], version);
        refused.refused(7, &["nowhere"]);
    }
}

/// As the Go library does: it takes such a configuration for one of version 0.1.0.
#[test]
fn a_configuration_without_a_version_is_refused() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for version in [json!(null), json!("")] {
        let container = ground.container("a").with("/cniVersion", version);
        let error = container.refused(1, &["cniVersion"]);
        assert!(error.details.contains("1.1.0"), "{error:?}");
    }
}
