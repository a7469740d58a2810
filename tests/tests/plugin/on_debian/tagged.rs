//! A LAN with VLANs.

use e2e::lan::UPLINK;
use serde_json::{Value, json};

use crate::container::Container;
use crate::ground::{Ground, Kind, WIDE};

/// What a sub-interface of the node's uplink for VLAN 120 is called when `berth` makes it.
pub(crate) const SUB: &str = "uplink0.120";

/// A ground with the VLANs 120 and 130, a gateway in each.
///
/// The pools `pool-120` (10.21.1.0/24) and `pool-130` (10.31.1.0/24) name their VLANs; `unnamed`
/// (10.22.1.0/24) is meant for VLAN 120 and does not say so.
#[derive(Debug)]
pub(crate) struct Tagged {
    pub(crate) ground: Ground,
}

impl Tagged {
    /// With one node.
    pub(crate) fn new(kind: Kind) -> Self {
        let ground = Ground::new(kind, WIDE);
        let lan = ground.lan.netns();
        for (vlan, gateways) in [
            ("120", ["10.21.1.1", "10.22.1.1"].as_slice()),
            ("130", &["10.31.1.1"]),
        ] {
            let name = format!("br0.{vlan}");
            let tagged = ["link", "add", "link", "br0", "name", &name, "type", "vlan"];
            lan.ip(&[tagged.as_slice(), &["id", vlan]].concat());
            for gateway in gateways {
                lan.ip(&["address", "add", &format!("{gateway}/24"), "dev", &name]);
            }
            lan.ip(&["link", "set", &name, "up"]);
        }
        let pools = [
            ("pool-120", "10.21.1", Some("120")),
            ("pool-130", "10.31.1", Some("130")),
            ("unnamed", "10.22.1", None),
        ];
        for (pool, net, vlan) in pools {
            let (subnet, gateway) = (format!("{net}.0/24"), format!("{net}.1"));
            let vlan: Vec<_> = vlan.iter().flat_map(|id| ["--vlan", id]).collect();
            let subnet = ["--subnet", &subnet, "--gateway", &gateway];
            ground.create_pool(pool, &[subnet.as_slice(), &vlan].concat());
        }
        Self { ground }
    }

    /// A container of the pool that is in `vlan`.
    pub(crate) fn by_pool(&self, id: &str, vlan: u16) -> Container<'_> {
        let pool = json!(format!("pool-{vlan}"));
        self.ground.container(id).with("/ipam/pool", pool)
    }

    /// A container that has VLAN 120 from its configuration alone.
    pub(crate) fn by_config(&self, id: &str) -> Container<'_> {
        let container = self.ground.container(id).with("/vlan", json!(120));
        container.with("/ipam/pool", json!("unnamed"))
    }

    /// Runs `ip` on the node.
    pub(crate) fn ip(&self, arguments: &[&str]) {
        self.ground.node().netns().ip(arguments);
    }

    /// The link of the node.
    #[track_caller]
    pub(crate) fn link(&self, name: &str) -> Value {
        let link = self.ground.node().netns().link(name);
        link.unwrap_or_else(|| panic!("{name} is among {:?}", self.links()))
    }

    /// The links of the node but its uplink.
    pub(crate) fn links(&self) -> Vec<String> {
        let mut links = self.ground.node().netns().links();
        links.retain(|name| name != UPLINK);
        links
    }

    /// The container is connected, and its interface stands on the node's link `name`.
    #[track_caller]
    pub(crate) fn assert_on(&self, container: &Container<'_>, name: &str) {
        let addresses = container.netns.addresses("eth0");
        container.assert_reached(&addresses);
        let parent = container.netns.link("eth0").expect("eth0")["link_index"].clone();
        assert_eq!(parent, self.link(name)["ifindex"], "what eth0 stands on");
    }
}
