//! A real etcd of one member, with `etcdctl snapshot save` and `restore`.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Killed when dropped, and by the kernel when the test that started it ends without that.
pub(crate) struct Server {
    address: String,
    peer: String,
    child: Child,
    data: PathBuf,
    folder: TempDir,
    restored: u32,
}

impl Server {
    /// Starts etcd and waits until it answers.
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().expect("temporary folder");
        let data = folder.path().join("data");
        let [address, peer] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let child = spawn(&data, &address, &peer);
        let server = Self {
            address,
            peer,
            child,
            data,
            folder,
            restored: 0,
        };
        server.wait_until_healthy();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `etcdctl snapshot save`
    pub(crate) fn save(&self, file: &Path) {
        etcdctl(&["--endpoints", &self.url(), "snapshot", "save"], file, &[]);
    }

    /// Stops etcd, `etcdctl snapshot restore`s as the runbooks do, and starts it again.
    pub(crate) fn restore(&mut self, file: &Path, token: &str) {
        self.stop();
        self.restored += 1;
        self.data = self.folder.path().join(format!("data-{}", self.restored));
        let peer = format!("http://{}", self.peer);
        let cluster = format!("s1={peer}");
        let data = self.data.to_str().expect("UTF-8");
        let arguments = [
            ["--name", "s1"],
            ["--data-dir", data],
            ["--initial-cluster", &cluster],
            ["--initial-advertise-peer-urls", &peer],
            ["--initial-cluster-token", token],
        ];
        etcdctl(&["snapshot", "restore"], file, arguments.as_flattened());
        self.child = spawn(&self.data, &self.address, &self.peer);
        self.wait_until_healthy();
    }

    fn stop(&mut self) {
        self.child.kill().expect("kill etcd");
        self.child.wait().expect("wait for etcd");
    }

    /// Before it has elected itself the port is open but commits time out.
    #[expect(
        clippy::disallowed_methods,
        reason = "polls with a deadline; the tests read the clock"
    )]
    fn wait_until_healthy(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.is_healthy().unwrap_or(false) {
            assert!(Instant::now() < deadline, "etcd does not become healthy");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_healthy(&self) -> io::Result<bool> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text.contains(r#""health":"true""#))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(data: &Path, address: &str, peer: &str) -> Child {
    let [client_url, peer_url] = [address, peer].map(|at| format!("http://{at}"));
    let mut command = Command::new("etcd");
    command.args(["--name", "s1", "--data-dir"]).arg(data);
    command.args(["--listen-client-urls", &client_url]);
    command.args(["--advertise-client-urls", &client_url]);
    command.args(["--listen-peer-urls", &peer_url]);
    command.args(["--initial-advertise-peer-urls", &peer_url]);
    command.args(["--initial-cluster", &format!("s1={peer_url}")]);
    command.args(["--heartbeat-interval", "20", "--election-timeout", "200"]);
    command.args(["--log-level", "error", "--logger", "zap"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let log = data.with_extension("log");
    command.stderr(File::create(log).expect("log"));
    die_with_this_thread(&mut command);
    command.spawn().unwrap_or_else(|error| {
        panic!("cannot start etcd ({error}): install the Debian package etcd-server")
    })
}

fn etcdctl(first: &[&str], file: &Path, rest: &[&str]) {
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3");
    command.args(first).arg(file).args(rest);
    let ran = command.output().unwrap_or_else(|error| {
        panic!("cannot run etcdctl ({error}): install the Debian package etcd-client")
    });
    assert!(ran.status.success(), "{command:?}: {ran:?}");
}

/// Has the kernel kill the child when the thread that starts it ends.
#[expect(unsafe_code, reason = "code between fork and exec")]
fn die_with_this_thread(command: &mut Command) {
    let set = || set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from);
    // SAFETY: prctl(2) is a mere system call: no allocation, no lock.
    unsafe { command.pre_exec(set) };
}

/// A port of loopback that nobody listens on at this moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
    listener.local_addr().expect("address").port()
}
