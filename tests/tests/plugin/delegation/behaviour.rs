//! Plugins that fail, hang, lie or are not there.

use std::time::Duration;

use e2e::plugin::Call;
use e2e::wait;
use nix::sys::signal::Signal;
use serde_json::json;

use super::ground;
use super::script::{Script, container};
use crate::container::assert_names;
use crate::ground::ip;

#[test]
fn it_is_called_with_what_the_runtime_sent() {
    let mut ground = ground();
    let script = Script::install(&mut ground, "");
    let container = container(&ground, "a").with("/runtimeConfig", json!({"x": 1}));
    container.add().success();
    assert_eq!(script.stdin("ADD"), container.config);
    container.assert_connected(ip("10.20.1.77"));
    container.del().success();
    container.del().success();
    assert_eq!(script.calls(), ["ADD a eth0", "DEL a eth0", "DEL a eth0"]);
    assert_eq!(script.stdin("DEL"), container.config);
    ground.assert_clean("a script");
}

#[test]
fn its_error_is_ours_with_its_code() {
    let mut ground = ground();
    for (code, shown) in [(142, 142), (11, 11), (7, 7), (101, 101)] {
        let script = Script::install(
            &mut ground,
            &format!("ADD) fail {code} 'so it is' 'do that' ;;"),
        );
        let error = container(&ground, "a").refused(shown, &["scripted", "so it is"]);
        assert!(error.details.contains("do that"), "{error:?}");
        assert_eq!(script.held(), [""; 0], "code {code}");
    }
}

#[test]
fn what_is_no_answer_is_an_error_and_whatever_it_took_is_given_back() {
    let mut ground = ground();
    for (case, cases, code, names) in [
        (
            "garbage",
            "ADD) give > /dev/null; echo hello ;;",
            6,
            &["result of IPAM"][..],
        ),
        (
            "nothing",
            "ADD) give > /dev/null ;;",
            6,
            &["result of IPAM"],
        ),
        (
            "no address",
            r#"ADD) give > /dev/null; echo '{"cniVersion": "1.1.0"}' ;;"#,
            6,
            &["no address"],
        ),
        (
            "old",
            r#"ADD) give > /dev/null; echo '{"cniVersion": "0.2.0", "ip4": {"ip": "10.20.1.77/24"}}' ;;"#,
            1,
            &["0.2.0"],
        ),
        (
            "no error object",
            "ADD) give; exit 1 ;;",
            6,
            &["scripted", "ADD"],
        ),
        (
            "killed",
            "ADD) give; kill -9 $$ ;;",
            6,
            &["scripted", "ADD"],
        ),
        (
            "10 MB",
            "ADD) give; head -c 10000000 /dev/zero ;;",
            6,
            &["1 MiB"],
        ),
    ] {
        let script = Script::install(&mut ground, cases);
        let before = script.calls().len();
        container(&ground, "a").refused(code, names);
        assert_eq!(
            script.calls()[before..],
            ["ADD a eth0", "DEL a eth0"],
            "{case}"
        );
        assert_eq!(script.held(), [""; 0], "{case}");
    }
}

#[test]
fn one_that_hangs_is_ended_and_what_it_took_is_given_back() {
    let mut ground = ground();
    let script = Script::install(&mut ground, "ADD) give > /dev/null; sleep 600 ;;");
    let subject = container(&ground, "a");
    let reply = subject.add();
    assert_names(&reply.failure(), 11, &["scripted", "20 s"]);
    assert!(
        reply.elapsed < Duration::from_secs(30),
        "{:?}",
        reply.elapsed
    );
    assert_eq!(subject.netns.links(), [""; 0]);
    ground.assert_clean("it was ended");
    assert_eq!(script.calls(), ["ADD a eth0", "DEL a eth0"]);
    assert_eq!(script.held(), [""; 0]);
}

#[test]
fn one_that_is_missing_is_named_and_without_cni_path_that_is() {
    let mut ground = ground();
    container(&ground, "a").refused(7, &["ipam.type", "scripted"]);
    ground.plugin.path = String::new();
    container(&ground, "a").refused(4, &["CNI_PATH", "scripted"]);
    // DEL cannot give back what it had, and says so until it can.
    let script = Script::install(&mut ground, "");
    let path = ground.plugin.path.clone();
    let subject = container(&ground, "b");
    subject.add().success();
    let (id, config) = (subject.id.clone(), subject.config.clone());
    drop(subject);
    ground.plugin.path = "/nonexistent".to_owned();
    let call = Call::new("DEL", &id, None, &config);
    assert_names(
        &ground.plugin.call(ground.node(), &call).failure(),
        7,
        &["scripted"],
    );
    assert_eq!(script.held(), ["b"]);
    ground.plugin.path = path;
    ground.plugin.call(ground.node(), &call).success();
    assert_eq!(script.held(), [""; 0]);
    ground.assert_clean("back in its place");
}

/// Case 30 as well: a runtime takes an error that says "not found" for success.
#[test]
fn a_del_that_the_plugin_refuses_fails_until_it_does_not_but_the_interface_goes() {
    let mut ground = ground();
    let script = Script::install(&mut ground, "");
    let container = container(&ground, "a");
    container.add().success();
    script.behave("DEL) fail 99 'file not found' '' ;;");
    for _ in 0..2 {
        let error = container.del().failure();
        assert_names(&error, 99, &["scripted", "file not-found"]);
        assert_eq!(container.netns.links(), [""; 0]);
        assert_eq!(script.held(), ["a"]);
    }
    script.behave("");
    container.del().success();
    assert_eq!(script.held(), [""; 0]);
    ground.assert_clean("in the end");
}

#[test]
fn an_add_whose_undoing_fails_says_what_is_left_and_del_removes_it() {
    let mut ground = ground();
    let script = Script::install(&mut ground, "DEL) fail 99 'no' '' ;;");
    let container = container(&ground, "a").with("/gatewayCheck", json!(true));
    ground
        .lan
        .netns()
        .ip(&["address", "del", "10.20.1.1/24", "dev", "br0"]);
    let error = container.add().failure();
    assert_eq!(error.code, 104, "{error:?}");
    assert!(
        error.details.contains("left behind: scripted: no"),
        "{error:?}"
    );
    assert_eq!(script.held(), ["a"]);
    script.behave("");
    container.del().success();
    assert_eq!(script.held(), [""; 0]);
    ground.assert_clean("undone by DEL");
}

/// The plugin goes on when its caller is killed. A DEL that did not wait for it would find nothing,
/// and a moment later the address would be taken for ever.
#[test]
fn a_del_waits_for_the_plugin_that_a_killed_add_left_running() {
    let mut ground = ground();
    let script = Script::install(&mut ground, "ADD) sleep 2; give ;;");
    let container = container(&ground, "a");
    let running = container.start("ADD");
    let called = || !script.calls().is_empty();
    assert!(
        wait::becomes_true(Duration::from_secs(5), called),
        "ADD is called"
    );
    running
        .process()
        .signal(Signal::SIGKILL)
        .expect("kill the plugin");
    running.finish();
    container.del().success();
    assert_eq!(script.calls(), ["ADD a eth0", "DEL a eth0"]);
    assert_eq!(script.held(), [""; 0]);
    ground.assert_clean("killed while another worked");
}
