//! A container, and the calls a runtime makes for it.

use std::net::IpAddr;

use e2e::lan::Node;
use e2e::netns::Netns;
use e2e::plugin::{Call, CniError, Reply, Running};
use serde_json::{Value, json};

use crate::ground::{Ground, set};
use crate::schema;

/// A container with an empty namespace, and the configuration it is called with.
#[derive(Debug)]
pub(crate) struct Container<'a> {
    ground: &'a Ground,
    pub(crate) node: &'a Node,
    pub(crate) id: String,
    pub(crate) netns: Netns,
    pub(crate) config: Value,
    /// `CNI_ARGS`.
    pub(crate) args: String,
}

impl<'a> Container<'a> {
    /// A fresh one on `node`.
    pub(crate) fn new(ground: &'a Ground, node: &'a Node, id: &str) -> Self {
        let config = ground.config_of(node);
        Self {
            ground,
            node,
            id: id.to_owned(),
            netns: node.container(id),
            config,
            args: String::new(),
        }
    }
}

impl Container<'_> {
    /// The same container with another value of one field of its configuration.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.config, pointer, value);
        self
    }

    /// The same container as a sandbox of the pod `name` in the namespace `shop`.
    pub(crate) fn of_pod(mut self, name: &str, uid: &str) -> Self {
        self.args =
            format!("IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME={name};K8S_POD_UID={uid}");
        self
    }

    /// The same container with an annotation of its pod.
    pub(crate) fn annotated(mut self, name: &str, value: &str) -> Self {
        let runtime = self
            .config
            .as_object_mut()
            .expect("a configuration is an object");
        let runtime = runtime.entry("runtimeConfig").or_insert_with(|| json!({}));
        let annotations = &mut runtime["io.kubernetes.cri.pod-annotations"];
        annotations[name] = json!(value);
        self
    }

    /// What `tc -json` with `arguments` shows in the container.
    #[track_caller]
    pub(crate) fn tc(&self, arguments: &[&str]) -> Value {
        let mut command = self.netns.command(e2e::debian::require("tc", "iproute2"));
        let shown = e2e::process::output(command.arg("-json").args(arguments));
        serde_json::from_str(&shown).unwrap_or_default()
    }

    /// A call for this container's `eth0`.
    pub(crate) fn call_of<'a>(&'a self, command: &'a str) -> Call<'a> {
        Call {
            args: &self.args,
            ..Call::new(command, &self.id, Some(self.netns.path()), &self.config)
        }
    }

    /// The answer to `call`; an error is checked against the specification.
    #[track_caller]
    pub(crate) fn answer(&self, call: &Call<'_>) -> Reply {
        let reply = self.ground.plugin.call(self.node, call);
        if self.ground.plugin.bin.ends_with("berth-ipam") {
            schema::assert_delegated(call, &reply);
        } else {
            schema::assert_reply(call, &reply);
        }
        reply
    }

    /// ADD.
    #[track_caller]
    pub(crate) fn add(&self) -> Reply {
        self.answer(&self.call_of("ADD"))
    }

    /// ADD under way.
    pub(crate) fn start(&self, command: &str) -> Running {
        self.ground.plugin.start(self.node, &self.call_of(command))
    }

    /// ADD with `CNI_ARGS`.
    #[track_caller]
    pub(crate) fn add_with_args(&self, args: &str) -> Reply {
        self.answer(&Call {
            args,
            ..self.call_of("ADD")
        })
    }

    /// DEL.
    #[track_caller]
    pub(crate) fn del(&self) -> Reply {
        self.answer(&self.call_of("DEL"))
    }

    /// CHECK with the result of the ADD.
    #[track_caller]
    pub(crate) fn check(&self, result: &Value) -> Reply {
        let mut config = self.config.clone();
        set(&mut config, "/prevResult", result.clone());
        self.answer(&Call {
            stdin: config.to_string().into_bytes(),
            ..self.call_of("CHECK")
        })
    }

    /// An ADD that has to fail with `code`, and leave nothing behind.
    #[track_caller]
    pub(crate) fn refused(&self, code: u64, names: &[&str]) -> CniError {
        let error = self.add().failure();
        assert_names(&error, code, names);
        assert_eq!(
            self.netns.links(),
            [""; 0],
            "links of the container after {error:?}"
        );
        self.ground.assert_clean(&format!("{error:?}"));
        error
    }

    /// It has `eth0` with just those addresses, which the gateway reaches.
    #[track_caller]
    pub(crate) fn assert_reached(&self, addresses: &[IpAddr]) {
        let mut seen = self.netns.addresses("eth0");
        seen.sort();
        assert_eq!(seen, addresses, "addresses of {}", self.id);
        for address in addresses {
            let gateway = self.ground.lan.netns();
            assert!(gateway.ping(*address), "the gateway reaches {address}");
        }
    }

    /// It has `eth0` with that address alone, which the gateway reaches.
    #[track_caller]
    pub(crate) fn assert_connected(&self, address: IpAddr) {
        assert_eq!(
            self.netns.addresses("eth0"),
            [address],
            "addresses of {}",
            self.id
        );
        assert!(
            self.ground.lan.netns().ping(address),
            "the gateway reaches {}",
            self.id
        );
    }
}

/// The error has that code, tells what to do, and its message holds each of `names`.
#[track_caller]
pub(crate) fn assert_names(error: &CniError, code: u64, names: &[&str]) {
    assert_eq!(error.code, code, "{error:?}");
    for name in names {
        assert!(
            error.msg.contains(name),
            "the message names {name:?}: {error:?}"
        );
    }
    assert!(
        !error.details.is_empty(),
        "the details say what to do: {error:?}"
    );
}
