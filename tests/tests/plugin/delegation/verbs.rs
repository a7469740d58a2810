//! STATUS and GC, which go to the plugin as well.

use e2e::plugin::Call;
use serde_json::json;

use super::ground;
use super::script::{Script, container};
use crate::container::assert_names;
use crate::gc::gc;
use crate::ground::{files, ip};

#[test]
fn status_is_the_plugins_once_the_driver_has_what_it_needs() {
    let mut ground = ground();
    let script = Script::install(&mut ground, "");
    let config = container(&ground, "a").config;
    ground.status(&config).success();
    script.behave("STATUS) fail 51 'some of it' 'wait' ;;");
    assert_names(
        &ground.status(&config).failure(),
        51,
        &["scripted", "some of it"],
    );
    assert_eq!(script.verbs(), ["STATUS", "STATUS"]);
    let mut missing = config.clone();
    missing["master"] = json!("bond7");
    assert_names(&ground.status(&missing).failure(), 50, &["bond7"]);
    ground.plugin.path = "/nonexistent".to_owned();
    assert_names(&ground.status(&config).failure(), 50, &["scripted"]);
    // Case 47: nobody can be asked then.
    ground.plugin.path = String::new();
    ground.status(&config).success();
}

#[test]
fn gc_ends_what_is_gone_here_and_then_asks_the_plugin() {
    let mut ground = ground();
    let script = Script::install(&mut ground, "");
    let [live, gone] = ["live", "gone"].map(|id| container(&ground, id));
    live.add().success();
    gone.add().success();
    drop(gone);
    let config = live.config.clone();
    gc(&ground, &config, &["live"]).success();
    assert_eq!(script.verbs()[2..], ["DEL", "GC"]);
    assert_eq!(script.calls()[2], "DEL gone eth0");
    let valid = &script.stdin("GC")["cni.dev/valid-attachments"];
    assert_eq!(*valid, json!([{"containerID": "live", "ifname": "eth0"}]));
    assert_eq!(script.held(), ["live"]);
    assert_eq!(
        files(&ground.node().file("run/attachments")),
        ["live-eth0.json"]
    );
    live.assert_connected(ip("10.20.1.77"));
    // Nothing is valid, and yet it lives.
    gc(&ground, &config, &[]).success();
    live.assert_connected(ip("10.20.1.77"));
    script.behave("GC) fail 99 'no' 'why' ;;");
    assert_names(
        &gc(&ground, &config, &[]).failure(),
        99,
        &["scripted", "no"],
    );
    let mut off = config;
    off["disableGC"] = json!(true);
    gc(&ground, &off, &[]).success();
    live.del().success();
    assert_eq!(script.held(), [""; 0]);
    ground.assert_clean("GC");
}

#[test]
fn what_gc_cannot_give_back_is_named_and_kept_for_the_next() {
    let mut ground = ground();
    let script = Script::install(&mut ground, "DEL) fail 99 'no' 'why' ;;");
    let gone = container(&ground, "gone");
    gone.add().success();
    let config = gone.config.clone();
    drop(gone);
    let error = gc(&ground, &config, &[]).failure();
    assert!(error.msg.contains("gone/eth0"), "{error:?}");
    assert_eq!(script.held(), ["gone"]);
    script.behave("");
    gc(&ground, &config, &[]).success();
    assert_eq!(script.held(), [""; 0]);
    ground.assert_clean("the next GC");
}

#[test]
fn check_fails_where_the_plugins_does() {
    let mut ground = ground();
    let script = Script::install(&mut ground, "");
    let container = container(&ground, "a");
    let result = container.add().success().clone();
    container.check(&result).success();
    script.behave("CHECK) fail 99 'not mine' 'why' ;;");
    assert_names(
        &container.check(&result).failure(),
        99,
        &["scripted", "not mine"],
    );
    let call = Call {
        netns: None,
        ..container.call_of("DEL")
    };
    container.answer(&call).success();
    assert_eq!(container.netns.links(), [""; 0]);
    ground.assert_clean("without CNI_NETNS");
}
