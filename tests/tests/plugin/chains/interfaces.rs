//! Seventeen interfaces of one container at once: cases 80 and 81.

use std::collections::BTreeSet;
use std::net::IpAddr;

use e2e::plugin::{Call, Reply, Running};
use serde_json::Value;

use super::drivers;
use crate::container::Container;
use crate::ground::{GATEWAY, Ground};

/// The names of the interfaces after the first, `eth0`.
fn others() -> Vec<String> {
    (1..17).map(|n| format!("net{n}")).collect()
}

/// The verb for each of those interfaces, all at once, each with its own result where there is one.
fn at_once(
    ground: &Ground,
    container: &Container<'_>,
    verb: &str,
    interfaces: &[(String, Option<Value>)],
) -> Vec<Reply> {
    let start = |(ifname, result): &(String, Option<Value>)| {
        let mut config = container.config.clone();
        if let Some(result) = result {
            config["prevResult"] = result.clone();
        }
        let call = Call {
            ifname,
            stdin: config.to_string().into_bytes(),
            ..container.call_of(verb)
        };
        ground.plugin.start(container.node, &call)
    };
    let running: Vec<_> = interfaces.iter().map(start).collect();
    running.into_iter().map(Running::finish).collect()
}

/// Adds those interfaces at once: each name with its result.
#[track_caller]
fn add(
    ground: &Ground,
    container: &Container<'_>,
    names: Vec<String>,
) -> Vec<(String, Option<Value>)> {
    let wanted: Vec<_> = names.into_iter().map(|name| (name, None)).collect();
    let replies = at_once(ground, container, "ADD", &wanted);
    let result = |reply: Reply| Some(reply.success().clone());
    let names = wanted.into_iter().map(|(name, _)| name);
    names.zip(replies.into_iter().map(result)).collect()
}

/// All have an address, a different one each, and pass CHECK at once.
#[track_caller]
fn assert_all_stand(ground: &Ground, container: &Container<'_>, all: &[(String, Option<Value>)]) {
    let own = |(name, _): &(String, Option<Value>)| {
        let [address] = container.netns.addresses(name)[..] else {
            panic!("one address of {name}")
        };
        address
    };
    let seen: BTreeSet<IpAddr> = all.iter().map(own).collect();
    assert_eq!(seen.len(), all.len(), "{seen:?}");
    assert_eq!(ground.held(), seen.into_iter().collect::<Vec<_>>());
    for reply in at_once(ground, container, "CHECK", all) {
        reply.success();
    }
}

/// The links that a default route of the container leads out of.
fn ways_out(container: &Container<'_>) -> Vec<String> {
    let routes = container.netns.ip_json(&["route", "show", "default"]);
    let routes = routes.as_array().expect("a list").clone();
    let link = |route: Value| route["dev"].as_str().expect("a link").to_owned();
    routes.into_iter().map(link).collect()
}

#[test]
fn case_80_the_default_route_stays_with_the_first_of_seventeen_interfaces() {
    for (driver, ground) in drivers() {
        let container = ground.container("a");
        let mut all = add(&ground, &container, vec!["eth0".to_owned()]);
        all.extend(add(&ground, &container, others()));
        assert_eq!(ways_out(&container), ["eth0"], "{driver}");
        assert_all_stand(&ground, &container, &all);
        assert!(container.netns.ping(GATEWAY), "{driver}");

        // The others go at once, and the first still has its route.
        let first = all.remove(0);
        for reply in at_once(&ground, &container, "DEL", &all) {
            reply.success();
        }
        assert_eq!(ways_out(&container), ["eth0"], "{driver}");
        container.check(&first.1.expect("a result")).success();
        container.del().success();
        assert_eq!(container.netns.links(), [""; 0], "{driver}");
        ground.assert_clean(driver);
    }
}

#[test]
fn case_81_seventeen_interfaces_at_once_have_one_default_route_between_them() {
    for (driver, ground) in drivers() {
        let container = ground.container("a");
        let mut names = others();
        names.push("eth0".to_owned());
        let all = add(&ground, &container, names);
        assert_eq!(ways_out(&container).len(), 1, "{driver}");
        assert_all_stand(&ground, &container, &all);
        for reply in at_once(&ground, &container, "DEL", &all) {
            reply.success();
        }
        assert_eq!(container.netns.links(), [""; 0], "{driver}");
        ground.assert_clean(driver);
    }
}
