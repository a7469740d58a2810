//! `berth-ipam`: called by itself, and by Debian's reference plugins.

mod alone;
mod chain;
mod reference;

use e2e::debian;
use e2e::lan::{Node, UPLINK};
use e2e::plugin::{Plugin, program, target_dir};
use serde_json::{Value, json};

use crate::container::Container;
use crate::ground::{Ground, Kind, NETWORK, POOL};

/// A ground on which `berth-ipam` itself is called.
pub(crate) fn alone(kind: Kind, pool: &[&str]) -> Ground {
    let mut ground = Ground::new(kind, pool);
    ground.plugin = Plugin::at(program("berth-ipam", "berth-cni"));
    ground
}

/// A container that `berth-ipam` is called for as a plugin of the type `macvlan` would.
pub(crate) fn container<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    container_of(
        ground,
        ground.node(),
        id,
        &json!({"type": "macvlan", "master": UPLINK}),
    )
}

/// A ground on which the reference plugin `name` is called, and finds `berth-ipam`.
pub(crate) fn under(name: &str, kind: Kind, pool: &[&str]) -> Ground {
    program("berth-ipam", "berth-cni");
    let mut ground = Ground::new(kind, pool);
    ground.plugin = Plugin {
        path: format!("{}:{}", target_dir().display(), debian::CNI_PLUGINS),
        ..Plugin::reference(name)
    };
    ground
}

/// A container with the main plugin's own fields in its configuration.
pub(crate) fn container_of<'a>(
    ground: &'a Ground,
    node: &'a Node,
    id: &str,
    main: &Value,
) -> Container<'a> {
    let mut container = Container::new(ground, node, id);
    container.config = json!({
        "cniVersion": "1.0.0", "name": NETWORK,
        "ipam": {
            "type": "berth-ipam", "pool": POOL, "store": ground.store(), "node": node.name(),
            "runDir": node.file("run"), "stateDir": node.file("state"),
        },
    });
    let fields = container.config.as_object_mut().expect("an object");
    fields.extend(main.as_object().cloned().unwrap_or_default());
    container
}
