//! What is missing, foreign or hostile: said clearly, counted as well as can be, and nothing of the
//! pods' traffic is touched.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::debian;
use e2e::process::{self, Daemon};
use e2e::wait::{becomes_true, until};
use serde_json::Value;
use traffic_agent::kernel::bpf;
use traffic_agent::kernel::load::{Constants, Maps, Programs, Way};

use super::ground::{Ground, PATIENCE, Pod};
use super::hook::hook;

/// Before the next comparison with the devices.
const SOON: Duration = Duration::from_secs(20);

/// An agent without the capabilities `without`, as `capsh` spells them.
fn start_without(ground: &Ground, without: &str) -> Daemon {
    let mut capsh = ground.node.command(debian::require("capsh", "libcap2-bin"));
    let agent = ground.agent(&[]);
    capsh.arg(format!("--drop={without}")).arg("--");
    capsh.args(["-c", r#"exec "$0" "$@""#]);
    capsh.arg(agent.get_program()).args(agent.get_args());
    Daemon::start(&mut capsh, &ground.scratch.join("without.log"))
}

/// The agent says each of `words`, goes on, and the pod can be reached.
fn says(ground: &Ground, agent: &mut Daemon, pod: &Pod<'_>, words: &[&str]) {
    until(PATIENCE, &format!("the agent says {words:?}"), || {
        assert!(agent.lives(), "it goes on: {}", agent.log());
        let log = agent.log();
        words.iter().all(|word| log.contains(word))
    });
    assert!(
        ground.lan.netns().ping(pod.address()),
        "the pod is reached as before"
    );
}

#[test]
fn case_24_without_one_capability_the_agent_says_which_goes_on_and_the_next_one_makes_up() {
    // Programs need CAP_BPF and CAP_NET_ADMIN; CAP_SYS_ADMIN stands for both on every kernel.
    let cases = [
        ("cap_bpf,cap_sys_admin", "CAP_BPF"),
        ("cap_net_admin,cap_sys_admin", "CAP_NET_ADMIN"),
        ("cap_sys_admin", "CAP_SYS_ADMIN"),
    ];
    let ground = Ground::new();
    for (n, (without, said)) in cases.into_iter().enumerate() {
        let pod = ground.pod(&format!("pod{n}"));
        let mut agent = start_without(&ground, without);
        says(&ground, &mut agent, &pod, &[said]);
        agent.stop(PATIENCE);
        pod.send(10, 100);
        let mut agent = ground.start(&[]);
        ground.wait_counted(&pod.name, hook());
        pod.assert_exact(without);
        agent.stop(PATIENCE);
        pod.delete();
    }
}

#[test]
fn case_46_a_pinned_map_of_another_size_is_refused_by_name_and_left_alone() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    ground.start(&[]).kill_when_counted(&ground, &pod);
    let pins = ground.pins();
    let (slots, tcp) = (pins.join("slots"), pins.join("tcp"));
    fs::remove_file(&slots).expect("remove a pin");
    // Another map under its name.
    fs::rename(&tcp, &slots).expect("put another map in its place");
    let mut agent = ground.start(&[]);
    let path = slots.display().to_string();
    says(&ground, &mut agent, &pod, &[&path, "value size", "rm "]);
    assert!(slots.exists(), "it is left alone");
}

#[test]
fn case_26_a_second_agent_is_refused_and_the_first_is_named() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let mut first = ground.start(&[]);
    ground.wait_counted(&pod.name, hook());
    let second = ground.agent(&[]).output().expect("start the second");
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another traffic-agent"), "{said}");
    assert!(said.contains(&format!("process {}", first.pid())), "{said}");
    assert!(first.lives());
}

#[test]
fn case_47_without_a_bpffs_devices_are_read_and_the_remedy_is_said() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let pins = ground.scratch.join("bpf");
    let mut umount = Command::new(debian::require("umount", "mount"));
    process::output(umount.arg(&pins));
    let mut agent = ground.start(&[]);
    says(&ground, &mut agent, &pod, &["bpffs", "mount -t bpf"]);
    agent.stop(PATIENCE);
    remount(&pins, "ro");
    let mut agent = ground.start(&[]);
    says(&ground, &mut agent, &pod, &["read-only", "remount"]);
}

#[test]
fn case_47_in_a_bpffs_of_its_own_pins_would_be_lost_so_devices_are_read_and_that_is_said() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let pins = ground.scratch.join("bpf");
    // As in a container that has no mount of the node's.
    let mut unshare = ground
        .node
        .command(debian::require("unshare", "util-linux"));
    let agent = ground.agent(&[]);
    unshare.args(["--mount", "--propagation", "private"]);
    unshare.arg(debian::require("bash", "bash"));
    unshare.args(["-c", r#"mount -t bpf bpf "$0" && exec "$@""#]);
    unshare
        .arg(&pins)
        .arg(agent.get_program())
        .args(agent.get_args());
    let mut agent = Daemon::start(&mut unshare, &ground.scratch.join("private.log"));
    says(
        &ground,
        &mut agent,
        &pod,
        &["a mount of its own", "hostPath"],
    );
    until(PATIENCE, "its metrics say so", || {
        ground.degraded() > Some(0.0)
    });
    agent.stop(PATIENCE);
    pod.send(10, 100);
    let mut agent = ground.start(&[]);
    ground.wait_counted("pod", "tcx");
    pod.assert_exact("the next agent counts all of it");
    until(PATIENCE, "nothing is amiss", || {
        ground.degraded() == Some(0.0)
    });
    agent.stop(PATIENCE);
}

fn remount(pins: &Path, how: &str) {
    let mut mount = Command::new(debian::require("mount", "mount"));
    process::output(mount.args(["-t", "bpf", "-o", how, "bpf"]).arg(pins));
}

#[test]
fn hostile_records_are_named_and_nobody_elses_counting_changes() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let mut agent = ground.start(&["--show-ended", "1"]);
    ground.wait_counted(&pod.name, hook());
    let records = ground.node.file("run/attachments");
    let own = fs::read_dir(&records)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let text = fs::read_to_string(&own).unwrap();
    let foreign = text.replace("sandbox-pod", "sandbox-other");
    let vanished: Value = {
        let mut record: Value = serde_json::from_str(&foreign).unwrap();
        record["netns"]["path"] = "/nowhere".into();
        record["pod"]["name"] = "other".into();
        record
    };
    fs::write(records.join("a-eth0.json"), "{").unwrap();
    fs::write(records.join("b-eth0.json"), &foreign).unwrap();
    fs::write(records.join("c-eth0.json"), vec![b'['; 2 << 20]).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", records.join("d-eth0.json")).unwrap();
    fs::write(
        records.join("sandbox-other-eth0.json"),
        vanished.to_string(),
    )
    .unwrap();
    let names = ["a-eth0.json", "b-eth0.json", "c-eth0.json", "d-eth0.json"];
    says(&ground, &mut agent, &pod, &names);
    // Truncated: whose it is can be told by its name, so that the pod is not taken for ended.
    fs::write(&own, text.get(..text.len() / 2).unwrap()).unwrap();
    let name = own.file_name().unwrap().to_string_lossy().into_owned();
    says(&ground, &mut agent, &pod, &[&name]);
    pod.send(10, 100);
    pod.assert_exact("its record cannot be read");
    fs::write(&own, &text).unwrap();
    pod.send(10, 100);
    pod.assert_exact("its record is back");
    assert_eq!(ground.shown("pod").unwrap()["estimated"], false);
}

#[test]
fn case_22_what_a_user_removes_is_attached_again_and_made_up_for() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let mut agent = ground.start(&["--hook", "tcx"]);
    ground.wait_counted(&pod.name, "tcx");
    let links = ground.links();
    assert_eq!(links.len(), 2);
    for link in &links {
        fs::remove_file(ground.pins().join("links").join(link)).expect("remove a link");
    }
    pod.send(30, 100);
    until(PATIENCE, "the links are back", || ground.links() == links);
    pod.assert_exact("the gap was made up for");
    agent.stop(PATIENCE);
}

/// By the words of rtnetlink: the next comparison with the device is a minute away.
#[test]
fn case_22_filters_that_a_user_removes_from_a_port_are_back_soon() {
    let ground = Ground::switched();
    let pod = ground.pod("pod");
    let mut agent = ground.start(&["--hook", "clsact"]);
    ground.wait_counted(&pod.name, "clsact");
    let records = fs::read_dir(ground.node.file("run/attachments")).expect("records");
    let record = records.map(|entry| entry.unwrap().path()).next();
    let text = fs::read_to_string(record.expect("a record")).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    let port = record["link"]["port"]["name"].as_str().expect("a port");
    let tc = |arguments: &[&str]| {
        let mut tc = ground.node.command(debian::require("tc", "iproute2"));
        let ran = tc.args(arguments).output().expect("start tc");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    let there = || {
        let shown = |hook| tc(&["filter", "show", "dev", port, hook]).contains("bpf");
        ["ingress", "egress"].map(shown) == [true; 2]
    };
    assert!(there(), "both are there");
    for removed in ["qdisc del dev PORT clsact", "filter del dev PORT egress"] {
        let arguments = removed.replace("PORT", port);
        let arguments: Vec<&str> = arguments.split(' ').collect();
        tc(&arguments);
        assert!(becomes_true(SOON, there), "{removed}: {}", agent.log());
        pod.send(30, 100);
        pod.assert_exact(removed);
    }
    agent.stop(PATIENCE);
}

#[test]
fn what_counts_an_interface_twice_is_found_removed_and_told() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let mut agent = ground.start(&[]);
    ground.wait_counted(&pod.name, "tcx");
    agent.stop(PATIENCE);
    let link = ground.links().remove(0);
    let pin = ground.pins().join("links").join(&link);
    let slot = link.split('-').next().expect("a slot");
    let constants = Constants {
        slot: slot.parse().expect("a number"),
        ..Constants::default()
    };
    let pins = ground.pins();
    let mut programs = Programs::load(&constants, Maps::Pinned(&pins)).expect("load programs");
    let program = programs.descriptor(Way::Transmit).expect("a program");
    let count = |what: &str| pod.netns.run(|| links_at_egress(what));
    let own = count("its own");
    let another = pod.netns.run(|| {
        let order = bpf::Order::Tail;
        bpf::attach(program, ifindex(), bpf::Hook::Egress, order).expect("attach another")
    });
    assert_eq!(count("both"), own + 1);
    let mut agent = ground.start(&[]);
    until(PATIENCE, "the other one is removed", || {
        count("again") == own
    });
    let words = ["was counted twice", "container=sandbox-pod"];
    says(&ground, &mut agent, &pod, &words);
    assert!(bpf::link(traffic_agent_open(&pin).as_fd()).is_ok());
    agent.stop(PATIENCE);
    drop(another);
}

fn ifindex() -> u32 {
    nix::net::if_::if_nametoindex("eth0").expect("its interface")
}

/// How many programs see what the pod sends. Runs in its namespace.
fn links_at_egress(what: &str) -> usize {
    let attached = bpf::attached(ifindex(), bpf::Hook::Egress);
    attached
        .unwrap_or_else(|error| panic!("{what}: {error}"))
        .len()
}

#[test]
fn case_22_a_qdisc_that_a_user_removes_is_added_again_and_its_gap_made_up_for() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let mut agent = ground.start(&["--hook", "clsact"]);
    ground.wait_counted(&pod.name, "clsact");
    assert_eq!(filters(&pod), 2);
    let mut tc = pod.netns.command(debian::require("tc", "iproute2"));
    process::output(tc.args(["qdisc", "del", "dev", "eth0", "clsact"]));
    assert_eq!(filters(&pod), 0);
    pod.send(30, 100);
    // It looks for them once a minute.
    until(PATIENCE * 3, "the filters are back", || filters(&pod) == 2);
    pod.assert_exact("the gap was made up for");
    agent.stop(PATIENCE);
    let said = process::output(&mut ground.agent(&["uninstall"]));
    assert!(said.contains("nothing is left"), "{said}");
    assert_eq!(filters(&pod), 0, "uninstalled");
}

/// How many filters are on the pod's interface.
fn filters(pod: &Pod<'_>) -> usize {
    let shown = |way: &str| {
        let mut tc = pod.netns.command(debian::require("tc", "iproute2"));
        let shown = process::output(tc.args(["filter", "show", "dev", "eth0", way]));
        shown.lines().filter(|line| line.contains("handle")).count()
    };
    shown("ingress") + shown("egress")
}

#[test]
fn uninstall_removes_everything_and_proves_it() {
    let ground = Ground::new();
    let pod = ground.pod("pod");
    let mut agent = ground.start(&[]);
    ground.wait_counted(&pod.name, hook());
    let refused = ground.agent(&["uninstall"]).output().expect("uninstall");
    assert_eq!(refused.status.code(), Some(1), "while an agent runs");
    agent.stop(PATIENCE);
    // Held by somebody else, a link counts on without its pin.
    let pin = ground.pins().join("links").join(&ground.links()[0]);
    let held = traffic_agent_open(&pin);
    let left = ground.agent(&["uninstall"]).output().expect("uninstall");
    let said = String::from_utf8_lossy(&left.stdout).into_owned();
    assert_eq!(left.status.code(), Some(2), "{said}");
    assert!(said.contains("still counts"), "{said}");
    drop(held);
    let said = process::output(&mut ground.agent(&["uninstall"]));
    assert!(said.contains("nothing is left"), "{said}");
    let berth = ground.scratch.join("bpf/berth");
    assert!(!berth.exists(), "the folder is gone");
    assert!(ground.lan.netns().ping(pod.address()));
    let mut agent = ground.start(&[]);
    ground.wait_counted("pod", hook());
    pod.assert_exact("it begins again from the device");
    agent.stop(PATIENCE);
}

/// Opens a pinned link, as somebody else may.
fn traffic_agent_open(pin: &Path) -> std::os::fd::OwnedFd {
    let opened = bpf::open(pin).expect("open a pin");
    assert!(bpf::link(opened.as_fd()).is_ok());
    opened
}

impl KillWhenCounted for Daemon {
    fn kill_when_counted(mut self, ground: &Ground, pod: &Pod<'_>) {
        ground.wait_counted(&pod.name, hook());
        self.kill();
    }
}

trait KillWhenCounted {
    fn kill_when_counted(self, ground: &Ground, pod: &Pod<'_>);
}
