//! A real etcd of one member on loopback.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use berth_store::Revision;
use etcd_client::Client;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Killed when dropped, and by the kernel when the test that started it ends without that.
pub(crate) struct EtcdServer {
    pub(crate) url: String,
    child: Child,
    _folder: TempDir,
}

/// A port taken by somebody else between our looking and etcd's taking it is tried again.
const TRIES: usize = 5;

impl EtcdServer {
    /// Starts etcd and waits until it answers.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with("http", arguments)
    }

    /// [`Self::start`], `https` needing the arguments that name the certificates. Waits until the
    /// port is open only: the caller has the certificates.
    pub(crate) fn start_with(scheme: &str, arguments: &[&str]) -> Self {
        (0..TRIES)
            .find_map(|_| Self::try_start(scheme, arguments))
            .unwrap_or_else(|| panic!("etcd did not start {TRIES} times"))
    }

    fn try_start(scheme: &str, arguments: &[&str]) -> Option<Self> {
        let folder = TempDir::new().expect("temporary folder");
        let (port, peer_port) = (free_port(), free_port());
        let url = format!("{scheme}://127.0.0.1:{port}");
        let peer = format!("http://127.0.0.1:{peer_port}");
        let mut command = Command::new("etcd");
        command
            .args(["--name", "s1", "--data-dir"])
            .arg(folder.path().join("data"))
            .args([
                "--listen-client-urls",
                &url,
                "--advertise-client-urls",
                &url,
            ])
            .args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ])
            .args(["--initial-cluster", &format!("s1={peer}")])
            .args(["--heartbeat-interval", "20", "--election-timeout", "200"])
            .args(["--log-level", "error", "--logger", "zap"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).expect("log"));
        die_with_this_thread(&mut command);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start etcd ({error}): install the Debian package etcd-server")
        });
        let mut server = Self {
            url,
            child,
            _folder: folder,
        };
        server.wait_until_ready(port).then_some(server)
    }

    /// Answers once it has elected itself; before that the port is open but commits time out.
    #[expect(clippy::disallowed_methods, reason = "polls with a deadline")]
    fn wait_until_ready(&mut self, port: u16) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if self.child.try_wait().expect("wait for etcd").is_some() {
                return false;
            }
            let open = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
            if open && (self.url.starts_with("https") || self.answers()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn answers(&self) -> bool {
        let url = self.url.clone();
        let ask = async {
            let mut client = Client::connect([url], None).await?;
            tokio::time::timeout(Duration::from_secs(1), client.get("ready?", None))
                .await
                .map_err(|_elapsed| etcd_client::Error::Internal("slow".to_owned()))?
        };
        // On a thread of its own: the test's may be running a runtime already.
        std::thread::scope(|scope| {
            scope
                .spawn(|| crate::block_on(ask).is_ok())
                .join()
                .expect("no panic")
        })
    }

    /// Makes the server forget what was before `revision`.
    pub(crate) async fn compact(&self, revision: Revision) {
        let mut client = Client::connect([&self.url], None).await.expect("connect");
        let revision = i64::try_from(revision.0).expect("revision");
        client.compact(revision, None).await.expect("compact");
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        self.url.split_once("//").expect("scheme").1
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
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
    listener.local_addr().expect("address").port()
}
