//! CRI-O is started anew, and has nothing but its cache.

use std::time::Duration;

use serde_json::json;

use super::{Crio, drivers};
use crate::container::{Container, assert_names};
use crate::ground::{Ground, Kind, NOTHING};
use crate::records;

/// How long a call may take with the store away: its patience and the answer.
const BOUND: Duration = Duration::from_secs(5);

/// A pod's container, with all that CRI-O passes.
fn sandbox<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    ground
        .container(id)
        .of_pod("web-0", "u1")
        .with(
            "/runtimeConfig",
            json!({"bandwidth": {"egressRate": 50_000_000}}),
        )
        .annotated("note", "kept")
}

#[test]
fn case_38_check_from_the_cache_passes_after_a_restart() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        for ground in drivers(kind) {
            let crio = Crio::new(&ground);
            let container = sandbox(&ground, "a");
            let result = crio.add(&container);
            for _ in 0..2 {
                let crio = Crio::new(&ground);
                crio.status().success();
                let reply = crio.check("a");
                reply.success();
                assert_eq!(reply.stderr, "");
            }
            let address = crate::families::addresses(&result)[0];
            container.assert_connected(address);
            crio.del("a", Some(container.netns.path())).success();
            assert_eq!(container.netns.links(), [""; 0]);
            ground.assert_clean("DEL from the cache");
        }
    }
}

/// Its restart and the store's outage often have one cause: a node that was started anew. An error
/// would leave a pod that works without an address.
#[test]
fn case_40_check_from_the_cache_with_the_store_away_is_a_warning_etcd() {
    for mut ground in drivers(Kind::Etcd) {
        let netns = {
            let crio = Crio::new(&ground);
            let container = sandbox(&ground, "a");
            crio.add(&container);
            container.netns
        };
        for hung in [true, false] {
            if hung {
                ground.etcd().pause();
            } else {
                ground.etcd().resume();
                ground.etcd().kill();
            }
            let crio = Crio::new(&ground);
            crio.status().success();
            let reply = crio.check("a");
            reply.success();
            assert!(reply.stderr.contains("warning"), "{}", reply.stderr);
            assert!(reply.elapsed < BOUND, "{:?}", reply.elapsed);
        }
        // The container ends meanwhile: DEL succeeds, and the next call gives the address back.
        let reply = Crio::new(&ground).del("a", Some(netns.path()));
        reply.success();
        assert!(reply.elapsed < BOUND, "{:?}", reply.elapsed);
        assert_eq!(netns.links(), [""; 0]);
        ground.etcd().restart();
        let next = sandbox(&ground, "b");
        let crio = Crio::new(&ground);
        crio.add(&next);
        assert_eq!(ground.held().len(), 1, "that of the next container");
        crio.del("b", Some(next.netns.path())).success();
        ground.assert_clean("the store is back");
    }
}

#[test]
fn case_41_check_from_the_cache_tells_of_another_holder() {
    for ground in drivers(Kind::Embedded) {
        let crio = Crio::new(&ground);
        let container = sandbox(&ground, "a");
        crio.add(&container);
        let address = ground.held()[0];
        records::change_address(&ground, address, |record| {
            let holder = record.holder.as_mut().expect("a holder");
            holder.attachment = "n9/pods/other/eth0".parse().expect("an id");
        });
        let error = crio.check("a").failure();
        assert_names(&error, 102, &[&address.to_string(), "n9/pods/other/eth0"]);
        crio.del("a", Some(container.netns.path())).success();
        assert_eq!(
            ground.holder(address).as_deref(),
            Some("n9/pods/other/eth0")
        );
    }
}

/// How the namespace of a container that ended is told: its path, which leads nowhere any more,
/// no variable, or an empty one.
#[test]
fn case_25_del_from_the_cache_needs_no_namespace() {
    for ground in drivers(Kind::Embedded) {
        let crio = Crio::new(&ground);
        for case in ["its path", "none", "empty"] {
            let container = sandbox(&ground, "a");
            crio.add(&container);
            assert_eq!(ground.held(), container.netns.addresses("eth0"), "{case}");
            let gone = container.netns.path().to_owned();
            drop(container);
            let netns = match case {
                "its path" => Some(gone.as_path()),
                "none" => None,
                _ => Some("".as_ref()),
            };
            let cached = crio.cached("a").expect("it is in the cache");
            crio.del("a", netns).success();
            assert_eq!(ground.held(), NOTHING, "released at once: {case}");
            ground.assert_clean(case);
            // CRI-O asks again where it was stopped before it had the answer.
            crio.call("DEL", "a", netns, &cached).success();
            ground.assert_clean(case);
        }
    }
}

/// The cache is of the configuration as it was, not of the one in the file now.
#[test]
fn case_31_del_from_the_cache_goes_by_the_configuration_of_the_add() {
    for ground in drivers(Kind::Embedded) {
        let crio = Crio::new(&ground);
        let container = sandbox(&ground, "a").with("/mtu", json!(1400));
        crio.add(&container);
        let container = container
            .with("/mtu", json!(1300))
            .with("/ipam/pool", json!("gone"));
        crio.check("a").success();
        crio.del("a", Some(container.netns.path())).success();
        assert_eq!(container.netns.links(), [""; 0]);
        ground.assert_clean("a changed configuration");
    }
}
