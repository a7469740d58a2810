//! Berth as one plugin of several, called as libcni calls a configuration list.
//!
//! - `after`: Debian's `tuning`, `bandwidth`, `portmap` and `sbr` behind it, with both drivers;
//! - `before`: `loopback` and `tuning` before it;
//! - `versions`: such chains at every version of the specification;
//! - `interfaces`: seventeen interfaces of one container at once.

mod after;
mod before;
mod interfaces;
mod versions;

use e2e::plugin::{Call, Plugin, Reply};
use serde_json::{Value, json};

use crate::container::Container;
use crate::ground::{Ground, Kind, NETWORK, WIDE};
use crate::schema;

/// Both drivers, each on a ground of its own.
fn drivers() -> [(&'static str, Ground); 2] {
    [
        ("macvlan", Ground::new(Kind::Embedded, WIDE)),
        ("ovs", Ground::switched(Kind::Embedded, WIDE)),
    ]
}

/// A configuration list with what the runtime has for its plugins.
pub(crate) struct Chain<'a> {
    ground: &'a Ground,
    /// `cniVersion` of the list.
    pub(crate) version: &'a str,
    /// The plugins in their order, without what libcni adds to each.
    pub(crate) plugins: Vec<Value>,
    /// What a plugin gets as `runtimeConfig` where its `capabilities` name it.
    pub(crate) runtime: Value,
}

/// A chain that failed: at which plugin, and how.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) kind: String,
    pub(crate) reply: Reply,
}

impl<'a> Chain<'a> {
    /// Berth and then `others`, at version 1.0.0.
    pub(crate) fn new(ground: &'a Ground, others: Vec<Value>) -> Self {
        let mut plugins = vec![ground.config()];
        plugins.extend(others);
        Self {
            ground,
            version: "1.0.0",
            plugins,
            runtime: json!({}),
        }
    }

    /// ADD of the whole chain: the result of the last plugin.
    ///
    /// # Errors
    /// The first plugin that failed; the later ones are not called.
    pub(crate) fn add(
        &self,
        container: &Container<'_>,
        ifname: &str,
    ) -> Result<Value, Box<Broken>> {
        let mut result = None;
        for plugin in &self.plugins {
            let reply = self.call(container, ("ADD", ifname), plugin, result.as_ref());
            if !reply.status.success() {
                let kind = kind_of(plugin).to_owned();
                return Err(Box::new(Broken { kind, reply }));
            }
            schema::assert_result(&reply.json);
            result = Some(reply.json);
        }
        Ok(result.expect("a chain has a plugin"))
    }

    /// CHECK of every plugin, in order, with the chain's result.
    #[track_caller]
    pub(crate) fn check(&self, container: &Container<'_>, ifname: &str, result: &Value) {
        for plugin in &self.plugins {
            self.call(container, ("CHECK", ifname), plugin, Some(result))
                .success();
        }
    }

    /// DEL of every plugin, from the last to the first, with the chain's result where there is one.
    #[track_caller]
    pub(crate) fn del(&self, container: &Container<'_>, ifname: &str, result: Option<&Value>) {
        // It came with 0.4.0.
        let result = result.filter(|_| self.version >= "0.4.0");
        for plugin in self.plugins.iter().rev() {
            self.call(container, ("DEL", ifname), plugin, result)
                .success();
        }
    }

    fn call(
        &self,
        container: &Container<'_>,
        (command, ifname): (&str, &str),
        plugin: &Value,
        previous: Option<&Value>,
    ) -> Reply {
        let config = self.config_of(plugin, previous);
        let call = Call {
            ifname,
            stdin: config.to_string().into_bytes(),
            ..container.call_of(command)
        };
        let kind = kind_of(plugin);
        if kind == "berth" {
            return container.answer(&call);
        }
        let plugin = match kind {
            "portmap" => {
                let path = after::without_ip6tables(container.node);
                Plugin::reference(kind).with_env("PATH", &path)
            }
            _ => Plugin::reference(kind),
        };
        plugin.call(container.node, &call)
    }

    /// What libcni makes of one plugin's configuration.
    fn config_of(&self, plugin: &Value, previous: Option<&Value>) -> Value {
        let mut config = plugin.clone();
        config["cniVersion"] = json!(self.version);
        config["name"] = json!(NETWORK);
        let capabilities = plugin["capabilities"].as_object().into_iter().flatten();
        for (name, _) in capabilities.filter(|(_, wanted)| **wanted == json!(true)) {
            if let Some(value) = self.runtime.get(name) {
                config["runtimeConfig"][name] = value.clone();
            }
        }
        if let Some(previous) = previous {
            config["prevResult"] = previous.clone();
        }
        config
    }

    /// The network that all this is called on.
    pub(crate) fn ground(&self) -> &Ground {
        self.ground
    }
}

fn kind_of(plugin: &Value) -> &str {
    plugin["type"].as_str().expect("a plugin has a type")
}
