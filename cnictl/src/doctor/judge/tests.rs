//! Each rule with what makes it say something.

use std::collections::BTreeSet;
use std::path::PathBuf;

use berth_cni::host::{Link, LinkKind, VlanTag};
use berth_cni::spec::{CniError, Code, MainConfig};
use berth_types::{BlockSize, PoolRecord, PoolState, Subnet};
use serde_json::{Value, json};

use super::managers::{Made, fits, touches};
use super::*;
use crate::conf::Conf;
use crate::doctor::line::State;
use crate::doctor::seen::*;

fn config(more: &Value) -> Conf {
    let mut plugin = json!({
        "cniVersion": "1.1.0", "name": "pods", "type": "berth", "master": "bond1",
        "ipam": {"pool": "prod", "store": {"embedded": "/var/lib/berth/ipam"}},
    });
    let fields = more.as_object().cloned().unwrap();
    plugin.as_object_mut().unwrap().extend(fields);
    let Value::Object(plugin) = plugin else {
        panic!("an object")
    };
    let file = PathBuf::from("/etc/cni/net.d/10-pods.conflist");
    Conf { file, plugin }
}

fn link(index: u32, name: &str) -> Link {
    Link {
        index,
        name: name.into(),
        mtu: 1500,
        mac: None,
        up: true,
        kind: LinkKind::Other,
        alias: None,
    }
}

fn pool(cidr: &str, vlan: Option<u16>) -> PoolRecord {
    let subnet = Subnet {
        cidr: cidr.parse().unwrap(),
        gateway: None,
        range: None,
        exclude: vec![],
        vlan: vlan.map(|vlan| vlan.try_into().unwrap()),
        routes: vec![],
    };
    PoolRecord::new(vec![subnet], BlockSize::try_from(64).unwrap())
}

fn healthy(more: &Value) -> SeenNetwork {
    let conf = config(more);
    let config = MainConfig::parse(&conf.stdin()).unwrap();
    let link = link(2, "bond1");
    let carrier = true;
    let store = SeenStore {
        lineage: "cafe".into(),
        pools: vec![("prod".parse().unwrap(), Ok(pool("10.20.0.0/22", None)))],
        ahead_s: Some(0),
        ..SeenStore::default()
    };
    let answered = BTreeSet::from(["10.20.0.1".parse().unwrap()]);
    let answers = Answers {
        answered,
        ..Answers::default()
    };
    let parts = SeenParts {
        parent: Ok(Some(Parent { link, carrier })),
        vlans: Ok(vec![]),
        bridge: matches!(config.link.driver, berth_cni::spec::Driver::Ovs(_)).then_some(Ok(true)),
        config,
        store: Ok(store),
        gateways: vec![(None, Ok(answers))],
        plugin: Ok(Plugin {
            path: Some("/opt/cni/bin/berth".into()),
            versions: vec!["1.1.0".into()],
            problem: None,
        }),
        folders: Ok(vec![]),
    };
    let parsed = Ok(parts);
    SeenNetwork { conf, parsed }
}

fn healthy_node() -> SeenNode {
    SeenNode {
        capabilities: Ok(u64::MAX),
        neighbours: Ok([Some(4096), Some(4096)]),
        bpffs: Ok(true),
        synchronised: Ok(true),
        can_tag: Ok(true),
        limits_refused: Ok(None),
        forwards: Ok([true, true]),
        managers: Ok(vec![]),
    }
}

/// The lines that are not ok, after a change to a healthy host.
fn complaints(more: &Value, change: impl FnOnce(&mut SeenParts, &mut SeenNode)) -> Vec<Line> {
    let (mut seen, mut host) = (healthy(more), healthy_node());
    change(seen.parsed.as_mut().unwrap(), &mut host);
    let mut lines = network(&seen);
    lines.extend(node(&host, &[seen]));
    lines.retain(|line| line.state != State::Ok);
    lines
}

#[track_caller]
fn assert_one(lines: &[Line], state: State, check: &str, words: &[&str]) {
    let [line] = lines else {
        panic!("one line: {lines:#?}")
    };
    assert_eq!((line.state, line.check), (state, check), "{line:?}");
    let text = format!("{} {}", line.found, line.remedy.clone().unwrap_or_default());
    for word in words {
        assert!(text.contains(word), "{word}: {line:?}");
    }
}

fn store(parts: &mut SeenParts) -> &mut SeenStore {
    parts.store.as_mut().unwrap()
}

fn parent(parts: &mut SeenParts) -> &mut Parent {
    parts.parent.as_mut().unwrap().as_mut().unwrap()
}

fn answers(parts: &mut SeenParts) -> &mut Answers {
    parts.gateways[0].1.as_mut().unwrap()
}

#[test]
fn a_healthy_host_is_ok_in_every_line() {
    assert_eq!(complaints(&json!({}), |_, _| {}), []);
    let ovs = json!({"driver": "ovs", "bridge": "br0"});
    assert_eq!(complaints(&ovs, |_, _| {}), []);
}

#[test]
fn a_configuration_that_cannot_work_is_told_in_the_plugins_words() {
    let conf = config(&json!({"driver": "bridge"}));
    let parsed = MainConfig::parse(&conf.stdin()).map(|_| unreachable!());
    let lines = network(&SeenNetwork { conf, parsed });
    assert_one(
        &lines,
        State::Failure,
        "configuration",
        &["driver", "macvlan or ovs"],
    );
    assert_eq!(lines[0].network.as_deref(), Some("pods"));
}

#[test]
fn a_parent_has_to_be_there_up_and_plugged_in() {
    let missing = complaints(&json!({}), |parts, _| parts.parent = Ok(None));
    assert_one(
        &missing,
        State::Failure,
        "parent",
        &["bond1", "does not exist"],
    );
    let down = complaints(&json!({}), |parts, _| parent(parts).link.up = false);
    assert_one(&down, State::Failure, "parent", &["ip link set bond1 up"]);
    let dark = complaints(&json!({}), |parts, _| parent(parts).carrier = false);
    assert_one(&dark, State::Failure, "parent", &["no carrier"]);
    let ovs = json!({"driver": "ovs", "bridge": "br0"});
    assert_eq!(
        complaints(&ovs, |parts, _| parent(parts).link.up = false),
        []
    );
}

#[test]
fn an_mtu_above_the_parents_is_a_failure_as_in_add() {
    let lines = complaints(&json!({"mtu": 9000}), |_, _| {});
    assert_one(&lines, State::Failure, "mtu", &["9000", "1500"]);
}

#[test]
fn the_bridge_has_to_be_in_a_database_that_answers() {
    let ovs = json!({"driver": "ovs", "bridge": "br0"});
    let missing = complaints(&ovs, |parts, _| parts.bridge = Some(Ok(false)));
    assert_one(&missing, State::Failure, "ovs", &["ovs-vsctl add-br br0"]);
    let away = complaints(&ovs, |parts, _| parts.bridge = Some(Err(Unseen::Late)));
    assert_one(
        &away,
        State::Failure,
        "ovs",
        &["no answer in time", "ovsdb-server"],
    );
}

#[test]
fn a_vlan_needs_the_kernel_and_a_sub_interface_that_is_up() {
    let tagged = json!({"vlan": 120});
    assert_eq!(complaints(&tagged, |_, _| {}), []);
    let kernel = complaints(&tagged, |_, host| host.can_tag = Ok(false));
    assert_one(&kernel, State::Failure, "kernel-vlan", &["modprobe 8021q"]);
    let down = complaints(&tagged, |parts, _| {
        let id = 120.try_into().unwrap();
        let (parent, group) = (2, 0);
        let kind = LinkKind::Vlan(VlanTag { id, parent, group });
        let up = false;
        parts.vlans = Ok(vec![Link {
            kind,
            up,
            ..link(9, "bond1.120")
        }]);
    });
    assert_one(&down, State::Failure, "vlan", &["ip link set bond1.120 up"]);
    let torn = complaints(&tagged, |parts, _| {
        store(parts).pools[0].1 = Ok(pool("10.20.0.0/22", Some(7)));
    });
    assert_one(
        &torn,
        State::Failure,
        "vlan",
        &["pool prod", "120", "VLAN 7"],
    );
}

#[test]
fn a_gateway_that_answers_the_parent_alone_shows_a_filter_of_hardware_addresses() {
    let gateway = || BTreeSet::from(["10.20.0.1".parse().unwrap()]);
    let filtered = complaints(&json!({}), |parts, _| {
        answers(parts).only_parent = gateway();
    });
    assert_one(
        &filtered,
        State::Failure,
        "gateway",
        &["10.20.0.1", "forged transmits"],
    );
    let silent = complaints(&json!({}), |parts, _| answers(parts).silent = gateway());
    assert_one(
        &silent,
        State::Warning,
        "gateway",
        &["10.20.0.1", "bond1", "does not answer"],
    );
    let moot = complaints(&json!({}), |parts, _| {
        parts.gateways[0].1 = Err(Unseen::Moot("no".into()));
    });
    assert_one(&moot, State::Skipped, "gateway", &["no"]);
    let refused = complaints(&json!({}), |parts, _| {
        parts.gateways[0].1 = Err(Unseen::Failed(
            "make macvlan doctor: Operation not supported".into(),
        ));
    });
    assert_one(&refused, State::Failure, "gateway", &["modprobe macvlan"]);
}

#[test]
fn a_store_has_to_answer_be_one_and_be_open() {
    let away = complaints(&json!({}), |parts, _| {
        parts.store = Err(Unseen::Failed("refused".into()));
    });
    assert_one(&away, State::Failure, "store", &["refused", "endpoints"]);
    let closed = complaints(&json!({}), |parts, _| {
        store(parts).closed = Some("restored".into());
    });
    assert_one(
        &closed,
        State::Failure,
        "store",
        &["restored", "cnictl store status"],
    );
    let mixed = complaints(&json!({}), |parts, _| store(parts).mixed = true);
    assert_one(&mixed, State::Failure, "store", &["more than one store"]);
    let stolen = complaints(&json!({}), |parts, _| {
        store(parts).not_ours = Some(("a".into(), "b".into()));
    });
    assert_one(&stolen, State::Failure, "node-name", &["a", "b"]);
}

#[test]
fn clocks_that_differ_are_a_warning() {
    for (ahead, words) in [(3, "3 s ahead of"), (-90, "90 s behind")] {
        let lines = complaints(&json!({}), |parts, _| store(parts).ahead_s = Some(ahead));
        assert_one(&lines, State::Warning, "store-clock", &[words]);
    }
    let unsynchronised = complaints(&json!({}), |_, host| host.synchronised = Ok(false));
    assert_one(&unsynchronised, State::Warning, "clock", &["chrony"]);
}

#[test]
fn a_pool_has_to_be_there_and_hand_out_addresses() {
    let missing = complaints(&json!({}), |parts, _| {
        store(parts).pools[0].1 = Err("pool prod does not exist".into());
    });
    assert_one(&missing, State::Failure, "pool", &["prod", "pool create"]);
    let drained = complaints(&json!({}), |parts, _| {
        store(parts).pools[0].1.as_mut().unwrap().state = PoolState::Draining;
    });
    assert_one(&drained, State::Warning, "pool", &["pool resume prod"]);
}

#[test]
fn a_neighbour_table_smaller_than_the_pools_is_a_warning_with_a_better_number() {
    let small = complaints(&json!({}), |_, host| {
        host.neighbours = Ok([Some(1022), Some(1)]);
    });
    assert_one(
        &small,
        State::Warning,
        "neighbours",
        &["net.ipv4.neigh.default.gc_thresh3=2048", "gc_thresh2=1024"],
    );
    let wide = complaints(&json!({}), |parts, _| {
        store(parts).pools[0].1 = Ok(pool("2001:db8::/64", None));
    });
    assert_one(
        &wide,
        State::Warning,
        "neighbours",
        &["net.ipv6", "=131072"],
    );
    let inside = complaints(&json!({}), |_, host| host.neighbours = Ok([None, None]));
    assert_one(&inside, State::Skipped, "neighbours", &["host itself"]);
}

#[test]
fn the_program_has_to_be_where_the_runtime_looks_and_speak_the_version() {
    let plugin = |change: fn(&mut Plugin)| {
        complaints(&json!({}), |parts, _| {
            change(parts.plugin.as_mut().unwrap());
        })
    };
    let absent = plugin(|plugin| plugin.path = None);
    assert_one(&absent, State::Failure, "plugin", &["--bin-dir"]);
    let broken = plugin(|plugin| plugin.problem = Some("Permission denied".into()));
    assert_one(&broken, State::Failure, "plugin", &["0755"]);
    let old = plugin(|plugin| plugin.versions = vec!["0.4.0".into()]);
    assert_one(&old, State::Failure, "plugin", &["1.1.0", "0.4.0"]);
}

#[test]
fn folders_privileges_and_the_bpf_file_system_are_looked_at() {
    let folder = complaints(&json!({}), |parts, _| {
        let (path, problem) = ("/run/berth".into(), Some("Read-only file system".into()));
        let field = "runDir";
        parts.folders = Ok(vec![Folder {
            field,
            path,
            problem,
        }]);
    });
    assert_one(
        &folder,
        State::Failure,
        "folders",
        &["runDir", "/run/berth", "Read-only"],
    );
    let unprivileged = complaints(&json!({}), |_, host| host.capabilities = Ok(1 << 13));
    assert_one(
        &unprivileged,
        State::Failure,
        "permissions",
        &["CAP_NET_ADMIN, CAP_SYS_ADMIN"],
    );
    let unmounted = complaints(&json!({}), |_, host| host.bpffs = Ok(false));
    assert_one(&unmounted, State::Warning, "bpffs", &["mount -t bpf"]);
}

#[test]
fn services_by_way_of_the_node_need_forwarding() {
    let access = json!({"hostAccess": true, "serviceCidrs": ["10.96.0.0/12", "fd00:96::/112"]});
    let off = |forwards| complaints(&access, |_, host| host.forwards = Ok(forwards));
    assert_eq!(off([true, true]), []);
    assert_one(
        &off([false, true]),
        State::Failure,
        "forwarding",
        &["net.ipv4.ip_forward=1"],
    );
    assert_one(
        &off([true, false]),
        State::Failure,
        "forwarding",
        &["net.ipv6.conf.all.forwarding=1"],
    );
    let unasked = complaints(&json!({}), |_, host| host.forwards = Ok([false, false]));
    assert_eq!(unasked, []);
}

#[test]
fn managers_matter_only_where_links_of_ours_stay_on_the_host() {
    let managers = || Ok(vec![Manager::Nm(vec![])]);
    assert_eq!(
        complaints(&json!({}), |_, host| host.managers = managers()),
        []
    );
    let tagged = complaints(&json!({"vlan": 120}), |_, host| host.managers = managers());
    assert_one(
        &tagged,
        State::Warning,
        "managers",
        &["interface-name:bond1.*"],
    );
    let access = json!({"hostAccess": true});
    let pairs = complaints(&access, |_, host| host.managers = managers());
    assert_one(
        &pairs,
        State::Warning,
        "managers",
        &["interface-name:berth*"],
    );
    let ovs = json!({"driver": "ovs", "bridge": "br0"});
    let ports = complaints(&ovs, |_, host| host.managers = managers());
    assert_one(&ports, State::Warning, "managers", &["interface-name:bv*"]);
}

#[test]
fn a_manager_that_was_told_leaves_our_links_alone() {
    let ports = BTreeSet::from([Made {
        pattern: "bv*".into(),
        kind: "veth",
    }]);
    let file = |name: &str, types: &[&str], unmanaged| NetworkFile {
        file: "x.network".into(),
        names: name.split_whitespace().map(str::to_owned).collect(),
        types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        unmanaged,
    };
    let rules = |rule: &str| Manager::Nm(vec![rule.into()]);
    let cases = [
        ("by name", rules("interface-name:bv*"), false),
        ("by another name", rules("interface-name:veth*"), true),
        ("by type", rules("type:veth"), false),
        ("everything", rules("*"), false),
        ("no file", Manager::Networkd(vec![]), false),
        (
            "a file of others",
            Manager::Networkd(vec![file("eth* bond1", &[], false)]),
            false,
        ),
        (
            "a file of all",
            Manager::Networkd(vec![file("*", &[], false)]),
            true,
        ),
        (
            "ours first",
            Manager::Networkd(vec![file("bv*", &[], true), file("*", &[], false)]),
            false,
        ),
        (
            "ours last",
            Manager::Networkd(vec![file("*", &[], false), file("bv*", &[], true)]),
            true,
        ),
        (
            "all Ethernet",
            Manager::Networkd(vec![file("", &["ether"], false)]),
            true,
        ),
        (
            "real Ethernet",
            Manager::Networkd(vec![file("", &["ether", "!*"], false)]),
            false,
        ),
        ("ifupdown", Manager::Ifupdown(vec!["eth0".into()]), false),
        ("ifupdown's", Manager::Ifupdown(vec!["bv0".into()]), true),
    ];
    for (case, manager, touched) in cases {
        assert_eq!(touches(&manager, &ports).is_some(), touched, "case: {case}");
    }
}

#[test]
fn a_pattern_fits_as_a_shell_would_have_it() {
    for (pattern, text, fitting) in [
        ("*", "", true),
        ("bv*", "bv", true),
        ("bv*", "bv1", true),
        ("b?1", "bv1", true),
        ("bv*", "b", false),
        ("*.7", "eth0.7", true),
        ("*.7", "eth0.70", false),
        ("", "a", false),
    ] {
        assert_eq!(fits(pattern, text), fitting, "case: {pattern} {text}");
    }
}

#[test]
fn a_kernel_that_cannot_limit_is_a_warning_in_the_words_of_add() {
    let lacking = CniError::new(Code::Internal, "bandwidth: no ifb").details("load ifb");
    let lines = complaints(&json!({}), |_, host| {
        host.limits_refused = Ok(Some(lacking));
    });
    assert_one(&lines, State::Warning, "limits", &["no ifb", "load ifb"]);
}
