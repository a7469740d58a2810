//! A real etcd, alone or as a cluster, inside a network namespace or on loopback.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::debian;
use crate::netns::Netns;
use crate::process::Daemon;
use crate::scratch::Scratch;

/// One member takes half a second, three take two; the rest is for a busy machine.
const START: Duration = Duration::from_secs(30);

/// One etcd member. Killed on drop; its data goes with it unless the caller gave the directory.
#[derive(Debug)]
pub struct Etcd {
    member: Member,
    daemon: Daemon,
    /// `None` when the process is on the machine's own loopback.
    namespace: Option<PathBuf>,
    _scratch: Option<Scratch>,
}

/// Where one member listens and what it is told about the others.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    folder: PathBuf,
    client: SocketAddrV4,
    peer: SocketAddrV4,
    /// `s1=http://…,s2=http://…`
    cluster: String,
}

impl Etcd {
    /// Starts a single member on free ports of the machine's loopback, with its data in `folder`.
    ///
    /// # Panics
    /// When etcd is not installed or does not come up.
    pub fn start(folder: &Path) -> Self {
        let [client, peer] = free_ports().map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        let member = Member::alone(folder, client, peer);
        Self::run(member, None, None).ready()
    }

    /// Starts a single member at 127.0.0.1:2379 of `namespace`.
    ///
    /// # Panics
    /// When etcd is not installed or does not come up.
    pub fn start_in(namespace: &Netns) -> Self {
        Self::start_at(namespace, Ipv4Addr::LOCALHOST)
    }

    /// Starts a single member at port 2379 of `address`, which `namespace` holds.
    ///
    /// # Panics
    /// When etcd is not installed or does not come up.
    pub fn start_at(namespace: &Netns, address: Ipv4Addr) -> Self {
        let scratch = Scratch::new("etcd");
        let [client, peer] = [2379, 2380].map(|port| SocketAddrV4::new(address, port));
        let member = Member::alone(scratch.path(), client, peer);
        Self::run(member, Some(namespace), Some(scratch)).ready()
    }

    /// Starts `size` members that form one cluster on the loopback of `namespace`.
    ///
    /// # Panics
    /// When etcd is not installed or the cluster does not come up.
    pub fn start_cluster_in(namespace: &Netns, size: u16) -> Vec<Self> {
        let at = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let mut cluster = String::new();
        for n in 0..size {
            let comma = if n == 0 { "" } else { "," };
            write!(cluster, "{comma}s{n}=http://{}", at(2380 + 10 * n)).expect("write to a string");
        }
        let members = (0..size).map(|n| {
            let scratch = Scratch::new("etcd");
            let member = Member {
                name: format!("s{n}"),
                folder: scratch.path().to_owned(),
                client: at(2379 + 10 * n),
                peer: at(2380 + 10 * n),
                cluster: cluster.clone(),
            };
            Self::run(member, Some(namespace), Some(scratch))
        });
        // All have to run before any of them is healthy.
        let members: Vec<Self> = members.collect();
        members.into_iter().map(Self::ready).collect()
    }

    /// The URL clients use.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.member.client)
    }

    /// Stops it in its tracks: connections stay open, nothing is answered (SIGSTOP).
    pub fn pause(&self) {
        self.daemon.signal(Signal::SIGSTOP);
    }

    /// Lets it go on after [`Etcd::pause`].
    pub fn resume(&self) {
        self.daemon.signal(Signal::SIGCONT);
    }

    /// Kills it; connections to it are refused from now on. Its data stays.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Starts it again on the same data, killing it first if it still runs.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&mut self) {
        self.daemon.kill();
        let mut command = command(self.namespace.as_deref());
        self.daemon = Daemon::start(self.member.arguments(&mut command), &self.member.log());
        self.wait_ready();
    }

    fn run(member: Member, namespace: Option<&Netns>, scratch: Option<Scratch>) -> Self {
        let namespace = namespace.map(|netns| netns.path().to_owned());
        let mut command = command(namespace.as_deref());
        let daemon = Daemon::start(member.arguments(&mut command), &member.log());
        Self {
            member,
            daemon,
            namespace,
            _scratch: scratch,
        }
    }

    fn ready(mut self) -> Self {
        self.wait_ready();
        self
    }

    fn wait_ready(&mut self) {
        let (client, namespace) = (self.member.client, self.namespace.clone());
        self.daemon.wait_ready(START, || match &namespace {
            Some(path) => crate::netns::run_in(path, || is_healthy(client)),
            None => is_healthy(client),
        });
    }
}

impl Member {
    fn alone(folder: &Path, client: SocketAddrV4, peer: SocketAddrV4) -> Self {
        let cluster = format!("s0=http://{peer}");
        Self {
            name: "s0".to_owned(),
            folder: folder.to_owned(),
            client,
            peer,
            cluster,
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn arguments<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let [client, peer] = [self.client, self.peer].map(|at| format!("http://{at}"));
        command.arg("--data-dir").arg(self.folder.join("data"));
        command.args([
            "--name",
            &self.name,
            "--log-level",
            "warn",
            "--logger",
            "zap",
        ]);
        command.args([
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
        ]);
        command.args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ]);
        command.args(["--initial-cluster", &self.cluster])
    }
}

fn command(namespace: Option<&Path>) -> Command {
    let etcd = debian::require("etcd", "etcd-server");
    match namespace {
        Some(path) => crate::netns::command_in(path, etcd),
        None => crate::netns::mortal(etcd),
    }
}

/// Whether the member at `client` has a leader and commits. False also when nobody is there.
fn is_healthy(client: SocketAddrV4) -> bool {
    let ask = || -> std::io::Result<String> {
        let patience = Duration::from_secs(2);
        let mut stream = TcpStream::connect_timeout(&client.into(), patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("\"true\""))
}

/// Two ports of the machine's loopback that nothing listens on just now.
fn free_ports() -> [u16; 2] {
    // Held together, so that they differ.
    let listeners =
        [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind to loopback"));
    listeners.map(|listener| {
        listener
            .local_addr()
            .expect("a bound socket's address")
            .port()
    })
}
