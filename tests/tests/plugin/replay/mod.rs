//! The calls of CRI-O, as it makes them through libcni: from its cache after a restart, with the
//! namespace gone, with STATUS in between, and GC with its list.
//!
//! - `restart`: CHECK and DEL from the cache;
//! - `collect`: GC, which first ends what is in the cache and not on the list.

mod collect;
mod restart;

use std::fs;
use std::path::{Path, PathBuf};

use e2e::plugin::{Call, Reply};
use serde_json::{Value, json};

use crate::container::Container;
use crate::ground::{Ground, Kind, NETWORK, WIDE, set};
use crate::schema;

/// Both drivers on that store, each on a ground of its own.
fn drivers(kind: Kind) -> [Ground; 2] {
    let grounds = [Ground::new(kind, WIDE), Ground::switched(kind, WIDE)];
    grounds.map(|mut ground| {
        ground.patience_ms = 1000;
        ground
    })
}

/// CRI-O on the first node. It knows nothing between two calls but its cache, as if it had been
/// started anew.
struct Crio<'a> {
    ground: &'a Ground,
}

/// What libcni keeps of an attachment.
struct Cached(Value);

impl<'a> Crio<'a> {
    fn new(ground: &'a Ground) -> Self {
        let crio = Self { ground };
        fs::create_dir_all(crio.cache()).expect("make the cache");
        crio
    }

    fn cache(&self) -> PathBuf {
        self.ground.node().file("cni/results")
    }

    fn file_of(&self, container: &str) -> PathBuf {
        self.cache().join(format!("{NETWORK}-{container}-eth0"))
    }

    /// ADD; libcni writes the cache once it succeeded.
    #[track_caller]
    fn add(&self, container: &Container<'_>) -> Value {
        let result = container.add().success().clone();
        let path = container.netns.path();
        let arguments = container.args.split(';').filter_map(|a| a.split_once('='));
        let cached = json!({
            "kind": "cniCacheV1", "containerId": container.id, "ifName": "eth0",
            "networkName": NETWORK, "netns": path,
            "cniArgs": arguments.map(|(key, value)| json!([key, value])).collect::<Vec<_>>(),
            "capabilityArgs": container.config["runtimeConfig"],
            // libcni has the bytes of it in Base64.
            "config": container.config.to_string(),
            "result": result,
        });
        fs::write(self.file_of(&container.id), cached.to_string()).expect("write the cache");
        result
    }

    /// What the cache has of `container`.
    fn cached(&self, container: &str) -> Option<Cached> {
        let text = fs::read(self.file_of(container)).ok()?;
        Some(Cached(serde_json::from_slice(&text).expect("JSON")))
    }

    /// The containers that the cache knows.
    fn known(&self) -> Vec<String> {
        let prefix = format!("{NETWORK}-");
        let id = |name: String| {
            Some(
                name.strip_prefix(&prefix)?
                    .strip_suffix("-eth0")?
                    .to_owned(),
            )
        };
        let names = crate::ground::files(&self.cache());
        names.into_iter().filter_map(id).collect()
    }

    /// CHECK of a container as the cache has it.
    #[track_caller]
    fn check(&self, container: &str) -> Reply {
        let cached = self.cached(container).expect("it is in the cache");
        self.call("CHECK", container, Some(cached.netns()), &cached)
    }

    /// DEL of a container as the cache has it, with the namespace's path where CRI-O has one;
    /// libcni forgets it when that succeeds.
    #[track_caller]
    fn del(&self, container: &str, netns: Option<&Path>) -> Reply {
        let cached = self.cached(container).expect("it is in the cache");
        let reply = self.call("DEL", container, netns, &cached);
        if reply.status.success() {
            fs::remove_file(self.file_of(container)).expect("forget it");
        }
        reply
    }

    /// STATUS, as CRI-O asks every few seconds.
    #[track_caller]
    fn status(&self) -> Reply {
        let reply = self.ground.status(&self.ground.config());
        let elapsed = reply.elapsed;
        assert!(elapsed.as_millis() < 1000, "STATUS took {elapsed:?}");
        reply
    }

    /// GC as libcni makes it: what it knows and is not on the list gets a DEL from the cache, and
    /// then the plugin gets the list under both its names.
    #[track_caller]
    fn gc(&self, valid: &[&str]) -> Reply {
        for container in self.known() {
            if !valid.contains(&&*container) {
                let netns = self
                    .cached(&container)
                    .map(|cached| cached.netns().to_owned());
                self.del(&container, netns.as_deref()).success();
            }
        }
        let entry = |id: &&str| json!({"containerID": id, "ifname": "eth0"});
        let list: Value = valid.iter().map(entry).collect();
        let mut config = self.ground.config();
        set(&mut config, "/cni.dev~1valid-attachments", list.clone());
        set(&mut config, "/cni.dev~1attachments", list);
        self.answer(&Call::new("GC", "", None, &config))
    }

    #[track_caller]
    fn call(&self, command: &str, container: &str, netns: Option<&Path>, cached: &Cached) -> Reply {
        let (config, args) = (cached.config(), cached.arguments());
        self.answer(&Call {
            args: &args,
            ..Call::new(command, container, netns, &config)
        })
    }

    #[track_caller]
    fn answer(&self, call: &Call<'_>) -> Reply {
        let reply = self.ground.plugin.call(self.ground.node(), call);
        schema::assert_reply(call, &reply);
        reply
    }
}

impl Cached {
    fn netns(&self) -> &Path {
        Path::new(self.0["netns"].as_str().expect("a path"))
    }

    /// The configuration of the ADD, with its result.
    fn config(&self) -> Value {
        let text = self.0["config"].as_str().expect("a text");
        let mut config: Value = serde_json::from_str(text).expect("JSON");
        config["prevResult"] = self.0["result"].clone();
        config
    }

    fn arguments(&self) -> String {
        let pairs = self.0["cniArgs"].as_array().expect("a list");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let pairs = pairs
            .iter()
            .map(|pair| [text(&pair[0]), text(&pair[1])].join("="));
        pairs.collect::<Vec<_>>().join(";")
    }
}
