//! Another plugin gives the addresses: Debian's `host-local` and `static`, and scripts of the
//! tests' own that do what no good plugin does.

mod behaviour;
mod changes;
mod lost;
mod reference;
mod script;
mod verbs;

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::container::Container;
use crate::ground::{Ground, Kind, WIDE, files};

/// A ground whose store has nothing to do with the containers of this module.
fn ground() -> Ground {
    Ground::new(Kind::Embedded, WIDE)
}

/// `host-local` with 10.20.1.50 to 10.20.1.60, and the default route.
pub(crate) fn host_local(ground: &Ground) -> Value {
    e2e::debian::require_cni_plugin("host-local");
    json!({
        "type": "host-local", "dataDir": ground.node().file("host-local"),
        "ranges": [[{
            "subnet": "10.20.1.0/24", "gateway": "10.20.1.1",
            "rangeStart": "10.20.1.50", "rangeEnd": "10.20.1.60",
        }]],
        "routes": [{"dst": "0.0.0.0/0"}],
    })
}

/// A container with that section `ipam`, and a version that Debian's plugins speak.
pub(crate) fn container<'a>(ground: &'a Ground, id: &str, ipam: &Value) -> Container<'a> {
    let container = ground.container(id).with("/ipam", ipam.clone());
    container.with("/cniVersion", json!("1.0.0"))
}

/// The addresses that `host-local` has given.
pub(crate) fn given(ground: &Ground) -> Vec<String> {
    let mut names = files(&ground.node().file("host-local/pods"));
    names.retain(|name| name.parse::<IpAddr>().is_ok());
    names
}

/// Neither store, node nor `host-local` has anything left.
#[track_caller]
pub(crate) fn assert_clean(ground: &Ground, case: &str) {
    assert_eq!(given(ground), [""; 0], "given by host-local: {case}");
    ground.assert_clean(case);
}
