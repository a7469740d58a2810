//! A whole chain called as `cnitool` calls it: each plugin with the result of the one before, and
//! DEL from the last to the first.

use e2e::lan::UPLINK;
use e2e::plugin::{Call, Plugin, Reply};
use serde_json::{Value, json};

use super::{container_of, under};
use crate::container::Container;
use crate::families::addresses;
use crate::ground::{Ground, Kind, WIDE, set};

/// Calls one plugin of the list, as libcni makes its configuration out of it.
fn call(
    ground: &Ground,
    container: &Container<'_>,
    (command, plugin): (&str, &Value),
    previous: Option<&Value>,
) -> Reply {
    let mut config = plugin.clone();
    set(&mut config, "/cniVersion", json!("1.0.0"));
    set(&mut config, "/name", json!("pods"));
    if let Some(previous) = previous {
        set(&mut config, "/prevResult", previous.clone());
    }
    let kind = plugin["type"].as_str().expect("a type");
    let program = Plugin {
        path: ground.plugin.path.clone(),
        ..Plugin::reference(kind)
    };
    let call = Call {
        stdin: config.to_string().into_bytes(),
        ..container.call_of(command)
    };
    program.call(ground.node(), &call)
}

#[test]
fn a_chain_with_a_delegated_address_is_added_checked_and_deleted() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = under("macvlan", kind, WIDE);
        let main = json!({"type": "macvlan", "master": UPLINK, "mode": "bridge"});
        let container = container_of(&ground, ground.node(), "a", &main);
        let plugins = [
            container.config.clone(),
            json!({"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.arp_ignore": "1"}}),
        ];
        let mut result: Option<Value> = None;
        for plugin in &plugins {
            let reply = call(&ground, &container, ("ADD", plugin), result.as_ref());
            result = Some(reply.success().clone());
        }
        let given = addresses(result.as_ref().expect("a result"));
        assert_eq!(ground.held(), given);
        container.assert_connected(given[0]);
        for plugin in &plugins {
            call(&ground, &container, ("CHECK", plugin), result.as_ref()).success();
        }
        for plugin in plugins.iter().rev() {
            call(&ground, &container, ("DEL", plugin), result.as_ref()).success();
        }
        // Again, as after a reboot: without a result.
        for plugin in plugins.iter().rev() {
            call(&ground, &container, ("DEL", plugin), None).success();
        }
        assert_eq!(container.netns.links(), [""; 0]);
        ground.assert_clean("a chain");
    }
}
