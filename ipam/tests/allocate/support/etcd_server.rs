//! A real etcd of one member on loopback.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Killed when dropped, and by the kernel when the test that started it ends without that.
pub(crate) struct EtcdServer {
    address: String,
    child: Child,
    folder: TempDir,
}

/// A port taken by somebody else between our looking and etcd's taking it is tried again.
const TRIES: usize = 5;

impl EtcdServer {
    /// Starts etcd and waits until it answers.
    pub(crate) fn start() -> Self {
        let mut log = String::new();
        for _ in 0..TRIES {
            let mut server = Self::spawn();
            if server.becomes_healthy() {
                return server;
            }
            log = fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
        }
        panic!("etcd did not start {TRIES} times: {log}")
    }

    /// Where clients connect to.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests of its key-value service it has answered so far.
    pub(crate) fn answered(&self) -> f64 {
        let metrics = self.ask("/metrics").expect("etcd's metrics");
        let counters = metrics.lines().filter(|line| {
            line.starts_with("grpc_server_handled_total")
                && line.contains("grpc_service=\"etcdserverpb.KV\"")
        });
        let numbers = counters.map(|line| line.rsplit(' ').next().expect("a value"));
        numbers
            .map(|number| number.parse::<f64>().expect("a number"))
            .sum()
    }

    fn spawn() -> Self {
        let folder = TempDir::new().expect("temporary folder");
        let [address, peer] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let [client_url, peer_url] = [&address, &peer].map(|at| format!("http://{at}"));
        let mut command = Command::new("etcd");
        command
            .args(["--name", "s1", "--data-dir"])
            .arg(folder.path().join("data"));
        command.args(["--listen-client-urls", &client_url]);
        command.args(["--advertise-client-urls", &client_url]);
        command.args(["--listen-peer-urls", &peer_url]);
        command.args(["--initial-advertise-peer-urls", &peer_url]);
        command.args(["--initial-cluster", &format!("s1={peer_url}")]);
        command.args(["--heartbeat-interval", "20", "--election-timeout", "200"]);
        command.args(["--log-level", "error", "--logger", "zap"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(folder.path().join("log")).expect("log"));
        die_with_this_thread(&mut command);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start etcd ({error}): install the Debian package etcd-server")
        });
        Self {
            address,
            child,
            folder,
        }
    }

    /// Waits until it has elected itself; before that the port is open but commits time out.
    #[expect(clippy::disallowed_methods, reason = "polls with a deadline")]
    fn becomes_healthy(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline && self.child.try_wait().expect("wait for etcd").is_none() {
            if self
                .ask("/health")
                .is_ok_and(|answer| answer.contains("\"true\""))
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn ask(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.child.kill().expect("kill etcd");
        self.child.wait().expect("wait for etcd");
    }
}

/// Has the kernel kill the child when the thread that starts it ends.
#[expect(unsafe_code, reason = "code between fork and exec")]
pub(crate) fn die_with_this_thread(command: &mut Command) {
    let set = || set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from);
    // SAFETY: prctl(2) is a mere system call: no allocation, no lock.
    unsafe { command.pre_exec(set) };
}

/// A port of loopback that nobody listens on at this moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
    listener.local_addr().expect("address").port()
}
