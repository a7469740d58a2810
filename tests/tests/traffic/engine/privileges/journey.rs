//! Through everything that an agent does, and how it ends.

use std::fs;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use e2e::cgroup::Cgroup;
use e2e::debian;
use e2e::process::{self, Daemon};
use e2e::wait::until;

use crate::containers::peer::{Count, Peer};
use crate::containers::pod::{Group, id};
use crate::engine::ground::{Ground, PATIENCE};

/// What a client must know.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// What an agent of the journey is started with besides.
type Start<'a> = &'a dyn Fn(&[&str]) -> Daemon;

/// The whole of it. `start` starts an agent of `ground`.
pub(super) fn everything(ground: &Ground, start: Start<'_>) {
    let (own, certificate) = told(ground);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let with = |more: &[&str]| start(&[&own[..], more].concat());
    life(ground, &with);
    containers(ground, &with);
    hooks(ground, &with);
    versions(ground, &with);
    reboot(ground, &with);
    served(ground, &with, &certificate);
}

/// Options that every agent has, and the certificate that it shows.
fn told(ground: &Ground) -> (Vec<String>, String) {
    let file = |name: &str, text: &str| {
        let path = ground.scratch.join(name);
        fs::write(&path, text).expect("write a file");
        let mut chmod = Command::new(debian::require("chmod", "coreutils"));
        process::output(chmod.arg("600").arg(&path));
        path.display().to_string()
    };
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).expect("a certificate");
    let certificate = file("tls.pem", &made.cert.pem());
    let key = file("tls.key", &made.signing_key.serialize_pem());
    let token = file("token", TOKEN);
    let told = [
        "--show-ended",
        "1",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--token-file",
        &token,
    ];
    (told.map(str::to_owned).to_vec(), certificate)
}

/// A pod from its beginning to its end, over a restart and a kill.
fn life(ground: &Ground, start: Start<'_>) {
    let mut agent = start(&[]);
    let pod = ground.pod("web-7d4b9c6f5d-x2x7z");
    ground.wait_counted(&pod.name, "tcx");
    pod.send(100, 100);
    pod.assert_exact("in a namespace of its own");
    stop(&mut agent);
    pod.send(20, 300);
    // Other programs take the place of those that are there.
    let mut agent = start(&["--level", "detail"]);
    ground.wait_counted(&pod.name, "tcx");
    pod.send(20, 50);
    pod.assert_exact("after a restart over existing pins");
    agent.kill();
    pod.send(20, 50);
    let mut agent = start(&[]);
    ground.wait_counted(&pod.name, "tcx");
    pod.assert_exact("after a kill");
    let last = pod.counted();
    pod.delete();
    ground.wait_folded(&pod.name);
    assert_eq!(ground.workload("web"), Some(last));
    stop(&mut agent);
    assert!(ground.node.file("state/traffic.json").exists());
}

/// Two containers of a pod, by their cgroups, while the runtime's socket answers nothing.
fn containers(ground: &Ground, start: Start<'_>) {
    let cgroups = Cgroup::new();
    let pod = Group::new(ground, &cgroups, "split-0", '7');
    let ((a, short_a), (b, short_b)) = (id('a'), id('b'));
    let mut peer = Peer::new(&ground.lan, 1);
    peer.face(&ground.lan, &pod.netns);
    peer.worker.tell(&format!("sink {}:9", peer.address));
    let socket = ground.scratch.join("cri.sock");
    let runtime = UnixListener::bind(&socket).expect("listen");
    runtime.set_nonblocking(true).expect("a listener");
    let cri = format!("unix://{}", socket.display());
    let mut agent = start(&["--cgroup", &cgroups.path(), "--cri", &cri, "--tcp"]);
    let mut workers = [pod.container(&a), pod.container(&b)];
    pod.wait_split(&[&short_a, &short_b]);
    until(PATIENCE, "its TCP is looked at as well", || {
        let links = ground.links();
        links.iter().filter(|link| link.starts_with("pod-")).count() == 3
    });
    for (worker, name, packets) in [(0, &short_a, 30), (1, &short_b, 40)] {
        workers[worker].tell("udp s");
        workers[worker].tell(&format!("send s {}:9 {packets} 100", peer.address));
        let sent = Count {
            bytes: packets * 128,
            packets,
        };
        pod.assert_exact("told apart", name, || [Count::default(), sent]);
    }
    until(PATIENCE, "the runtime is asked", || {
        runtime.accept().is_ok()
    });
    stop(&mut agent);
    let own = ("split-0", pod.sandbox.as_str(), pod.uid.as_str());
    ground.call("DEL", own, &pod.netns);
}

/// Filters of clsact, the devices' own counters, and back.
fn hooks(ground: &Ground, start: Start<'_>) {
    let pod = ground.pod("hooked-0");
    for mode in ["tcx", "clsact", "device", "tcx"] {
        let mut agent = start(&["--hook", mode]);
        ground.wait_counted(&pod.name, mode);
        pod.send(20, 100);
        pod.assert_exact(mode);
        stop(&mut agent);
    }
    pod.delete();
}

/// The maps of another version are taken over, and removed.
fn versions(ground: &Ground, start: Start<'_>) {
    let pod = ground.pod("taken-0");
    let mut agent = start(&[]);
    ground.wait_counted(&pod.name, "tcx");
    stop(&mut agent);
    let former = ground.pins().with_file_name("v7");
    fs::rename(ground.pins(), &former).expect("rename the folder of pins");
    let mut agent = start(&[]);
    until(PATIENCE, "all is taken over", || !former.exists());
    pod.assert_exact("taken over");
    stop(&mut agent);
    pod.delete();
}

/// The sums go on from what was written down.
fn reboot(ground: &Ground, start: Start<'_>) {
    let mut agent = start(&[]);
    until(PATIENCE, "the last pod is folded", || {
        ground.workload("taken").is_some() && ground.links().is_empty()
    });
    stop(&mut agent);
    let before = ground.workload("web").expect("it has ended");
    ground.forget_pins();
    let mut agent = start(&[]);
    until(PATIENCE, "the sums are back", || {
        ground.workload_if_any("web") == Some(before)
    });
    stop(&mut agent);
}

/// Metrics, JSON, the page and the stream, by TLS, to who knows the token.
fn served(ground: &Ground, start: Start<'_>, certificate: &str) {
    let pod = ground.pod("served-0");
    let mut agent = start(&["--sample-programs", "10"]);
    let ask = |path: &str, more: &[&str]| {
        let mut curl = ground.node.command(debian::require("curl", "curl"));
        curl.args(["--silent", "--show-error", "--cacert", certificate]);
        curl.args(["--header", &format!("Authorization: Bearer {TOKEN}")]);
        curl.args(more).arg(format!("https://127.0.0.1:9455{path}"));
        let ran = curl.output().expect("start curl");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    until(PATIENCE, "it answers", || ask("/healthz", &[]) == "ok\n");
    let cases = [
        ("/metrics", "berth_workload_transmit_bytes_total"),
        ("/api/v1/traffic", "\"workloads\""),
        ("/", "<html"),
    ];
    for (path, word) in cases {
        let answer = ask(path, &["--compressed", "--max-time", "10"]);
        assert!(answer.contains(word), "{path}: {answer}");
    }
    until(PATIENCE, "programs are measured", || {
        pod.send(20, 100);
        let answer = ask("/metrics", &[]);
        let runs = |way: &str| {
            let name = format!("berth_bpf_program_runs_total{{program=\"{way}\"}} ");
            let mut lines = answer.lines();
            let found = lines.find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok());
            found.unwrap_or_default()
        };
        runs("receive") > 0 && runs("transmit") > 0
    });
    let stream = ask("/api/v1/stream", &["--no-buffer", "--max-time", "3"]);
    for event in ["event: hello", "event: tick"] {
        assert!(stream.contains(event), "{stream}");
    }
    stop(&mut agent);
    pod.delete();
}

/// Ends it in peace, after which its log has no word of a refusal.
fn stop(agent: &mut Daemon) {
    assert!(agent.lives(), "{}", agent.log());
    agent.stop(PATIENCE);
    let how = agent.ended().expect("it has ended");
    let log = agent.log();
    assert_eq!((how.code(), how.signal()), (Some(0), None), "{log}");
    for word in ["EPERM", "not permitted", "EACCES", "Permission denied"] {
        assert!(!log.contains(word), "{log}");
    }
}
