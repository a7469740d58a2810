//! ADD behind other plugins of a chain (case 36).

use serde_json::json;

use crate::ground::{Ground, Kind, WIDE, ip};
use crate::schema::VERSIONS;

#[test]
fn case_36_the_result_of_the_plugins_before_is_passed_on() {
    for version in VERSIONS {
        let ground = Ground::new(Kind::Embedded, WIDE);
        let family = if version < "1.0.0" {
            json!("4")
        } else {
            json!(null)
        };
        let mut address = json!({"address": "10.9.0.2/24", "interface": 1});
        if !family.is_null() {
            address["version"] = family;
        }
        let previous = json!({
            "cniVersion": version,
            "interfaces": [
                {"name": "veth1", "mac": "02:00:00:00:00:01"},
                {"name": "net0", "mac": "02:00:00:00:00:02", "sandbox": "/run/netns/a"},
            ],
            "ips": [address], "routes": [{"dst": "10.9.0.0/16"}],
            "dns": {"nameservers": ["10.0.0.53"]},
        });
        let container = ground.container("a").with("/cniVersion", json!(version));
        let container = container.with("/prevResult", previous.clone());
        let container = container.with("/dns", json!({"nameservers": ["10.9.9.9"]}));
        let result = container.add().success().clone();
        for kept in ["/interfaces/0", "/interfaces/1", "/ips/0", "/routes/0"] {
            assert_eq!(
                result.pointer(kept),
                previous.pointer(kept),
                "{version}: {kept}"
            );
        }
        assert_eq!(result["interfaces"][2]["name"], "eth0", "{version}");
        let own = result["ips"][1]["address"].as_str().expect("an address");
        let own = ip(own.trim_end_matches("/24"));
        assert_eq!(result["ips"][1]["interface"], 2, "{version}");
        assert_eq!(result["routes"][1]["gw"], "10.20.1.1", "{version}");
        assert_eq!(
            result["dns"]["nameservers"],
            json!(["10.0.0.53", "10.9.9.9"])
        );
        container.assert_connected(own);
        assert_eq!(container.add().success(), &result, "{version}: ADD again");
        if version != "0.3.1" {
            container.check(&result).success();
        }
        container.del().success();
        ground.assert_clean(version);
    }
}

#[test]
fn a_result_that_could_not_be_passed_on_is_refused_before_anything_is_made() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for wrong in [
        json!("x"),
        json!({"interfaces": 5}),
        json!({"dns": {"search": 5}}),
    ] {
        let container = ground.container("a").with("/prevResult", wrong);
        container.refused(7, &["prevResult"]);
    }
}
