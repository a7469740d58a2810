//! `cnictl doctor` on a node of the test LAN: all is well, and each fault shows in its line.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use e2e::lan::UPLINK;
use e2e::plugin::{program, target_dir};
use e2e::process::Measured;
use serde_json::{Value, json};

use crate::ground::{Ground, Kind, WIDE};

/// Checks whose outcome is the test machine's own affair.
const ANYTHING: &[&str] = &["clock", "bpffs"];

/// What was said.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    code: Option<i32>,
    elapsed: Duration,
    lines: Vec<Value>,
}

pub(crate) fn doctor(ground: &Ground, config: &Value) -> Diagnosis {
    let file = ground.node().file("10-pods.conf");
    fs::write(&file, config.to_string()).expect("write the configuration");
    let mut command = ground.node().command(program("cnictl", "cnictl"));
    command.args(["doctor", "-o", "json", "--timeout", "2", "--conf"]);
    command.arg(file).arg("--bin-dir").arg(target_dir());
    diagnosis(&mut command)
}

fn diagnosis(command: &mut Command) -> Diagnosis {
    let ran = Measured::start(command, b"").and_then(Measured::finish);
    let ran = ran.expect("run cnictl");
    let lines = serde_json::from_slice(&ran.stdout);
    Diagnosis {
        code: ran.status.code(),
        elapsed: ran.elapsed,
        lines: lines.unwrap_or_else(|error| panic!("{error}: {ran:?}")),
    }
}

impl Diagnosis {
    /// Its lines about anything but the machine's own affairs, by check: state and words.
    fn by_check(&self) -> BTreeMap<&str, (&str, String)> {
        let word =
            |line: &'_ Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
        let lines = self.lines.iter().map(|line| {
            let check = line["check"].as_str().expect("a check");
            let state = line["state"].as_str().expect("a state");
            let words = format!("{} {}", word(line, "found"), word(line, "remedy"));
            (check, (state, words))
        });
        lines
            .filter(|(check, _)| !ANYTHING.contains(check))
            .collect()
    }

    /// The line of `check`, which has to be in that state and say that.
    #[track_caller]
    pub(crate) fn assert(&self, check: &str, state: &str, words: &[&str]) {
        let lines = self.by_check();
        let (seen, text) = lines
            .get(check)
            .unwrap_or_else(|| panic!("{check}: {self:#?}"));
        assert_eq!(*seen, state, "{check}: {self:#?}");
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
        let code = match state {
            "failure" => Some(2),
            _ => self.code,
        };
        assert_eq!(
            self.code, code,
            "the exit code is the worst line's: {self:#?}"
        );
    }

    /// Every line is ok, or was skipped for a reason of the test machine's.
    #[track_caller]
    fn assert_healthy(&self, checks: &[&str]) {
        let lines = self.by_check();
        for check in checks {
            assert!(lines.contains_key(check), "{check}: {self:#?}");
        }
        // The kernel shows these limits outside of namespaces only.
        let well = |(check, (state, _)): (&&str, &(&str, String))| {
            *state == "ok" || (*state == "skipped" && ["neighbours", "gateway"].contains(check))
        };
        assert!(lines.iter().all(well), "{self:#?}");
        assert_ne!(self.code, Some(2), "{self:#?}");
    }
}

#[test]
fn a_healthy_node_is_ok_in_every_line_and_is_left_as_it_was() {
    let checks = [
        "parent",
        "mtu",
        "gateway",
        "store",
        "pool",
        "node-name",
        "plugin",
        "folders",
        "permissions",
        "limits",
    ];
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        let diagnosis = doctor(&ground, &ground.config());
        diagnosis.assert_healthy(&checks);
        diagnosis.assert("gateway", "ok", &["10.20.1.1", "fresh interface", UPLINK]);
        if kind == Kind::Etcd {
            diagnosis.assert("store-clock", "ok", &[]);
        }
        ground.assert_clean("after doctor");
        assert!(
            !ground.node().file("state").exists(),
            "doctor makes no file"
        );
    }
}

#[test]
fn a_node_with_a_bridge_of_open_vswitch_is_healthy_and_one_without_is_not() {
    let ground = Ground::switched(Kind::Embedded, WIDE);
    let healthy = doctor(&ground, &ground.config());
    healthy.assert_healthy(&["parent", "ovs", "store"]);
    healthy.assert("gateway", "skipped", &["Open vSwitch"]);
    let other = ground.config_with("/bridge", json!("br7"));
    let other = doctor(&ground, &other);
    other.assert("ovs", "failure", &["no bridge br7", "ovs-vsctl add-br br7"]);
    let nowhere = ground.config_with("/ovsdb", json!("/run/nowhere.sock"));
    doctor(&ground, &nowhere).assert("ovs", "failure", &["/run/nowhere.sock", "ovsdb-server"]);
}

#[test]
fn a_link_that_is_missing_down_or_unplugged_is_a_failure() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let missing = ground.config_with("/master", json!("bond7"));
    doctor(&ground, &missing).assert("parent", "failure", &["bond7", "ip link"]);
    let wide = ground.config_with("/mtu", json!(9000));
    doctor(&ground, &wide).assert("mtu", "failure", &["9000", "1500"]);
    ground.lan.unplug(ground.node());
    let unplugged = doctor(&ground, &ground.config());
    unplugged.assert("parent", "failure", &["carrier"]);
    unplugged.assert("gateway", "skipped", &["carrier"]);
    ground.node().netns().ip(&["link", "set", UPLINK, "down"]);
    let down = doctor(&ground, &ground.config());
    down.assert("parent", "failure", &["ip link set", UPLINK, "up"]);
}

#[test]
fn a_gateway_that_nobody_has_is_a_warning() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let gateway = ["address", "del", "10.20.1.1/24", "dev", "br0"];
    ground.lan.netns().ip(&gateway);
    let silent = doctor(&ground, &ground.config());
    silent.assert("gateway", "warning", &["10.20.1.1", "does not answer"]);
    assert_eq!(silent.code, Some(1), "{silent:#?}");
}

#[test]
fn a_switch_that_passes_the_hosts_own_hardware_address_alone_is_found() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let uplink = ground.node().netns().link(UPLINK).expect("the uplink");
    let own = uplink["address"].as_str().expect("a hardware address");
    // As a hypervisor's virtual switch does against forged transmits.
    let switch = ground.lan.netns();
    let bridge = |arguments: &[&str]| {
        let mut command = switch.command(e2e::debian::require("bridge", "iproute2"));
        e2e::process::output(command.args(arguments));
    };
    bridge(&["fdb", "replace", own, "dev", "port1", "master", "static"]);
    bridge(&[
        "link", "set", "dev", "port1", "learning", "off", "locked", "on",
    ]);
    let filtered = doctor(&ground, &ground.config());
    filtered.assert(
        "gateway",
        "failure",
        &["10.20.1.1", "forged transmits", "promiscuous"],
    );
}

#[test]
fn a_store_that_is_away_hangs_or_is_closed_is_a_failure_in_time() {
    let mut ground = Ground::new(Kind::Etcd, WIDE);
    let config = ground.config();
    ground.cnictl(&["store", "close", "--reason", "restored"]);
    doctor(&ground, &config).assert("store", "failure", &["restored", "cnictl store status"]);
    ground.etcd().pause();
    let hangs = doctor(&ground, &config);
    hangs.assert("store", "failure", &["endpoints"]);
    assert!(hangs.elapsed < Duration::from_secs(10), "{hangs:#?}");
    ground.etcd().resume();
    ground.etcd().kill();
    doctor(&ground, &config).assert("store", "failure", &["endpoints"]);
    let unknown = json!({"pool": "prod", "store": {"embedded": "/nowhere"}});
    let unknown = ground.config_with("/ipam", unknown);
    doctor(&ground, &unknown).assert("store", "failure", &["/nowhere", "no store"]);
}

#[test]
fn a_pool_or_a_program_that_is_missing_and_a_bad_value_are_failures() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let absent = ground.config_with("/ipam/pool", json!("absent"));
    doctor(&ground, &absent).assert("pool", "failure", &["absent", "pool create"]);
    ground.cnictl(&["pool", "drain", "prod"]);
    doctor(&ground, &ground.config()).assert("pool", "warning", &["pool resume prod"]);
    let bad = ground.config_with("/driver", json!("bridge"));
    doctor(&ground, &bad).assert("configuration", "failure", &["driver", "ovs"]);
    let file = ground.node().file("10-pods.conf");
    let mut command = ground.node().command(program("cnictl", "cnictl"));
    command.args(["doctor", "-o", "json", "--bin-dir", "/nowhere", "--conf"]);
    fs::write(&file, ground.config().to_string()).expect("write the configuration");
    diagnosis(command.arg(file)).assert("plugin", "failure", &["berth", "--bin-dir"]);
}
