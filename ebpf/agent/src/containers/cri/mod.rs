//! What the container runtime says of its pods and containers.

mod client;

pub use client::{Client, Patience, Socket, Told};

use std::collections::BTreeMap;

use crate::model::Pod;

/// A pod's sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    /// Its pod.
    pub pod: Pod,
    /// Its label `app.kubernetes.io/name`.
    pub app: Option<String>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name in its pod.
    pub name: String,
    /// The id of its sandbox.
    pub sandbox: String,
}

/// What the runtime said last. It holds when the runtime is down as well: ids are not given twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runtime {
    /// The sandboxes by their ids.
    pub sandboxes: BTreeMap<String, Sandbox>,
    /// The containers by theirs.
    pub containers: BTreeMap<String, Container>,
}

impl Runtime {
    /// The name of the container `id`.
    pub fn name_of(&self, id: &str) -> Option<&str> {
        self.containers
            .get(id)
            .map(|container| container.name.as_str())
    }

    /// The name of the container whose id begins with `short`.
    pub fn name_by_short(&self, short: &str) -> Option<&str> {
        let mut from = self.containers.range(short.to_owned()..);
        let (id, container) = from.next()?;
        id.starts_with(short).then_some(container.name.as_str())
    }

    /// Whether `id` is a sandbox's.
    pub fn is_sandbox(&self, id: &str) -> bool {
        self.sandboxes.contains_key(id)
    }

    /// The pod of the sandbox or container `id`.
    pub fn pod_of(&self, id: &str) -> Option<&Pod> {
        let sandbox = self
            .containers
            .get(id)
            .map_or(id, |container| &container.sandbox);
        self.sandboxes.get(sandbox).map(|sandbox| &sandbox.pod)
    }

    /// What the owner of the pod of the sandbox `id` calls the application.
    pub fn app_of(&self, id: &str) -> Option<&str> {
        self.sandboxes.get(id)?.app.as_deref()
    }
}
