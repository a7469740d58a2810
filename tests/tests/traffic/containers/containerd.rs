//! Pods as containerd makes them, with its cgroups, its names, and the plugin.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use e2e::cgroup::{remove, unified};
use e2e::containerd::Containerd;
use e2e::containerd::cri::{Container, Pod};
use e2e::enclosure::plain_command;
use e2e::netns::Netns;
use e2e::plugin::program;
use e2e::process::{self, Daemon};
use e2e::site::Site;
use e2e::wait::{becomes_true, until};
use e2e::{debian, images};
use serde_json::Value;

use super::peer::{Counts, Peer, count};
use crate::engine::ground::{PATIENCE, quiet};

/// The pod's uid, by which its cgroup is known.
const UID: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

/// A node with containerd and the agent's programs.
struct Scene {
    site: Site,
}

impl Scene {
    fn new() -> Self {
        let site = Site::with_embedded_store();
        quiet(site.lan().netns());
        quiet(site.node().netns());
        let scene = Self { site };
        let worker = PathBuf::from(env!("CARGO_BIN_EXE_traffic-worker"));
        for program in [worker, program("traffic-agent", "traffic-agent")] {
            let mut install = plain_command(debian::require("install", "coreutils"));
            install.args(["--mode=0755"]).arg(program);
            process::output(install.arg(scene.file("programs")));
        }
        let make = "mkdir -p $1 && mount -t bpf bpf $1";
        let mut mount = plain_command(debian::require("sh", "dash"));
        mount.args(["-c", make, "sh"]).arg(scene.file("bpf"));
        scene.site.enclosure().run(|| process::output(&mut mount));
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.site.enclosure().file(name)
    }

    /// The agent's command line, for the enclosure.
    fn agent(&self, containerd: &Containerd<'_>) -> Command {
        let mut command = plain_command(self.file("programs/traffic-agent"));
        let node = self.site.node();
        command.args(["--node", node.name(), "--show-ended", "1"]);
        command.arg("--run-dir").arg(node.file("run"));
        command.arg("--state-dir").arg(node.file("state"));
        command.arg("--bpffs").arg(self.file("bpf"));
        command
            .arg("--cgroup")
            .arg(self.site.enclosure().cgroup().path());
        let socket = containerd.socket();
        command.args(["--cri", &format!("unix://{}", socket.display())]);
        command
    }

    fn start(&self, containerd: &Containerd<'_>) -> Daemon {
        let mut command = self.agent(containerd);
        let log = self.file("agent.log");
        self.site
            .enclosure()
            .run(|| Daemon::start(&mut command, &log))
    }

    fn snapshot(&self, containerd: &Containerd<'_>) -> Value {
        let mut command = self.agent(containerd);
        command.args(["snapshot", "-o", "json"]);
        let shown = self.site.enclosure().run(|| command.output());
        let shown = shown.expect("start the agent's program").stdout;
        // There is none before the agent has made its maps.
        serde_json::from_slice(&shown).unwrap_or_default()
    }

    /// What the containers received and sent, by their names.
    fn counts(&self, containerd: &Containerd<'_>) -> Vec<(String, Counts)> {
        let snapshot = self.snapshot(containerd);
        let containers = snapshot["containers"].as_array().into_iter().flatten();
        let one = |one: &Value| {
            assert_eq!(one["uid"], UID, "{one}");
            assert_eq!(
                (&one["namespace"], &one["pod"]),
                (&"shop".into(), &"cart-0".into())
            );
            let counts = ["receive", "transmit"].map(|way| count(&one["counts"][way]));
            (one["name"].as_str().expect("a name").to_owned(), counts)
        };
        containers.map(one).collect()
    }

    /// Waits until just the containers `names` are told apart.
    #[track_caller]
    fn wait_split(&self, containerd: &Containerd<'_>, names: &[&str]) {
        let apart = becomes_true(PATIENCE, || {
            let counts = self.counts(containerd);
            counts.iter().map(|(name, _)| name).eq(names) && self.links().len() == 2
        });
        let snapshot = self.snapshot(containerd);
        let cgroups = self.site.enclosure().cgroup().children();
        assert!(
            apart,
            "{names:?}: {snapshot:#} {:?} {cgroups:?}",
            self.links()
        );
    }

    /// What the running agent says that the pod's application is called.
    fn app(&self) -> String {
        let metrics = self.site.node().netns().run(|| {
            let mut stream = TcpStream::connect("127.0.0.1:9455").expect("the agent serves");
            let request = b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:9455\r\n\r\n";
            stream.write_all(request).expect("ask");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            answer
        });
        let mut about = metrics
            .lines()
            .filter(|line| line.starts_with("berth_pod_info{"));
        let about = about.next().expect("the pod is shown");
        let (_, app) = about.split_once(",app=\"").expect("its label");
        app.split('"').next().unwrap_or_default().to_owned()
    }

    /// The links at pods' cgroups.
    fn links(&self) -> Vec<String> {
        let folder = self.file("bpf/berth/v1/links");
        let list = || {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
            names.collect()
        };
        let names: Vec<String> = self.site.enclosure().run(list);
        let names = names.into_iter();
        names.filter(|name| name.starts_with("pod-")).collect()
    }

    fn pod(&self) -> Pod {
        let parent = self.site.enclosure().cgroup().path();
        Pod {
            name: "cart-0".into(),
            namespace: "shop".into(),
            uid: UID.into(),
            attempt: 0,
            annotations: HashMap::new(),
            labels: HashMap::from([("app.kubernetes.io/name".into(), "shopping-cart".into())]),
            cgroup: format!("{parent}/kubepods/burstable/pod{UID}"),
        }
    }

    /// A container with busybox that sees the test's programs, and waits.
    fn container(&self, name: &str, attempt: u32) -> Container {
        Container {
            name: name.into(),
            attempt,
            image: images::BUSYBOX.into(),
            command: ["/bin/sleep", "100000"].map(str::to_owned).into(),
            sees: ["/lib".into(), "/lib64".into(), self.file("programs")].into(),
        }
    }

    /// Has the container `id` send datagrams to `peer` and a connection's bytes there and back.
    fn speak(&self, containerd: &Containerd<'_>, id: &str, peer: &Peer, bytes: usize) {
        let (worker, to) = (self.file("programs/traffic-worker"), &peer.address);
        let orders = format!("udp s\\nsend s {to}:9 20 300\\ntcp {to}:80 {bytes}\\n");
        let script = format!("printf '{orders}' | {}", worker.display());
        let said = containerd.cri().exec(id, &["/bin/sh", "-c", &script]);
        assert_eq!(said, format!("ok\n20\n{bytes}\n"));
    }
}

/// Each container speaks with a peer of its own, whose device is the oracle.
#[test]
fn the_containers_of_a_pod_of_containerds_are_told_apart_by_their_names() {
    let scene = Scene::new();
    let mut peers = ["10.20.1.201/24", "10.20.1.202/24"].map(|at| Peer::at(scene.site.lan(), at));
    let containerd = Containerd::start(scene.site.enclosure());
    containerd.import_busybox();
    let cri = containerd.cri();
    until(Duration::from_secs(10), "the network is loaded", || {
        cri.network_is_ready()
    });
    let mut agent = scene.start(&containerd);
    let pod = scene.pod();
    let sandbox = cri.run(&pod).expect("run a pod");
    let start = |name, attempt| {
        let container = scene.container(name, attempt);
        cri.start_container(&sandbox, &pod, &container)
            .expect("start a container")
    };
    let (app, proxy) = (start("app", 0), start("proxy", 0));
    scene.wait_split(&containerd, &["app", "proxy"]);
    let inside = cri.status(&sandbox).expect("the sandbox is known").netns;
    let netns = Netns::at("cart-0", &scene.site.enclosure().outside(&inside));
    quiet(&netns);
    for peer in &mut peers {
        peer.face(scene.site.lan(), &netns);
        peer.worker.tell(&format!("sink {}:9", peer.address));
        peer.worker.tell(&format!("serve {}:80", peer.address));
    }
    let before = peers.each_ref().map(Peer::wire);
    let assert_exact = |case: &str| {
        let both = || {
            let wire = [0, 1].map(|at: usize| {
                let now = peers[at].wire();
                [0, 1].map(|way: usize| now[way].since(before[at][way]))
            });
            let counted = scene.counts(&containerd);
            let wire = ["app", "proxy"].map(str::to_owned).into_iter().zip(wire);
            (counted, wire.collect::<Vec<_>>())
        };
        let settled = becomes_true(Duration::from_secs(20), || {
            let (counted, wire) = both();
            counted == wire
        });
        assert!(settled, "{case}: counted and on the wire: {:?}", both());
    };

    scene.speak(&containerd, &app, &peers[0], 400_000);
    scene.speak(&containerd, &proxy, &peers[1], 90_000);
    assert_exact("two containers");

    let is_used = |map: &str, entries: u64| {
        let snapshot = scene.snapshot(&containerd);
        let maps = snapshot["health"]["maps"].as_array().expect("maps");
        maps.iter()
            .any(|one| one["map"] == map && one["used"] == entries)
    };
    assert_eq!(scene.app(), "shopping-cart", "its label");
    cri.remove_container(&app).expect("end a container");
    until(PATIENCE, "its cgroup is forgotten", || {
        is_used("cgroups", 2)
    });
    let again = start("app", 1);
    // What it says before its cgroup is known is nobody's.
    until(PATIENCE, "it has its slot", || is_used("cgroups", 3));
    scene.speak(&containerd, &again, &peers[0], 30_000);
    assert_exact("a container that was started again");

    cri.stop(&sandbox).expect("stop the pod");
    cri.remove(&sandbox).expect("remove the pod");
    // The pod's own cgroup is kubelet's, who makes and removes it.
    let cgroup = unified().join(pod.cgroup.trim_start_matches('/'));
    assert!(becomes_true(PATIENCE, || remove(&cgroup)), "it is empty");
    until(PATIENCE, "nothing is left of the pod", || {
        is_used("cgroups", 0) && is_used("containers", 0) && scene.links().is_empty()
    });
    assert_eq!(scene.site.local_records(), [""; 0]);
    assert!(agent.lives(), "{}", agent.log());
}
