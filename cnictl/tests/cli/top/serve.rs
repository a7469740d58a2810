//! An agent that counts what the test says.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use traffic_agent::export::{ExportOptions, Source};
use traffic_agent::http::{Server, Settings};
use traffic_agent::model::Snapshot;

#[path = "../../../../ebpf/agent/tests/export/given.rs"]
#[expect(clippy::indexing_slicing, reason = "test code: fails loudly")]
#[allow(
    dead_code,
    reason = "shared with the tests of the export, which use all of it"
)]
#[allow(
    clippy::allow_attributes,
    reason = "whether any is unused depends on who includes it"
)]
mod given;

/// A server on a port of its own.
pub(super) struct Served {
    address: SocketAddr,
    scheme: &'static str,
    folder: TempDir,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A second passes with each look, in which every interface carries something.
struct Ticking(Mutex<Snapshot>);

impl Source for Ticking {
    fn snapshot(&self) -> Arc<Snapshot> {
        let mut snapshot = self.0.lock().unwrap();
        snapshot.taken += SignedDuration::from_secs(1);
        for (at, interface) in (1..).zip(&mut snapshot.interfaces) {
            interface.totals.receive[0].bytes += 1_000_000 / at;
        }
        Arc::new(snapshot.clone())
    }
}

fn node() -> Snapshot {
    let mut node = given::empty();
    for (at, name) in ["web-0", "web-1", "a\u{1b}[31m\"b"].into_iter().enumerate() {
        let pod = given::pod("shop", name);
        let mut eth0 = given::interface(pod.clone(), &format!("c{at}"));
        eth0.workload.name = if at < 2 { "web".into() } else { "other".into() };
        node.interfaces.push(eth0);
    }
    node.containers
        .push(given::container(given::pod("shop", "web-0"), "app"));
    node.health.coverage = (4, 3);
    node
}

impl Served {
    pub(super) fn plain() -> Self {
        Self::start("http", TempDir::new().unwrap(), Settings::default())
    }

    pub(super) fn with_tls() -> Self {
        let folder = TempDir::new().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            Some(path)
        };
        let settings = Settings {
            tls_cert: file("cert.pem", &made.cert.pem()),
            tls_key: file("key.pem", &made.signing_key.serialize_pem()),
            token_file: file("token", "0123456789abcdef0123\n"),
            ..Settings::default()
        };
        Self::start("https", folder, settings)
    }

    fn start(scheme: &'static str, folder: TempDir, settings: Settings) -> Self {
        let (end, ended) = oneshot::channel();
        let (told, address) = std::sync::mpsc::channel();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings { listen, ..settings };
        let source = Arc::new(Ticking(Mutex::new(node())));
        let body = async move {
            let server = Server::bind(&settings, ExportOptions::default(), source)
                .await
                .unwrap();
            told.send(server.address().unwrap()).unwrap();
            server.serve(async { drop(ended.await) }).await;
        };
        let thread = thread::spawn(move || crate::support::block_on(body));
        let address = address
            .recv_timeout(Duration::from_mins(1))
            .expect("it listens");
        Self {
            address,
            scheme,
            folder,
            end: Some(end),
            thread: Some(thread),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic of it has been told of.
            drop(thread.join());
        }
    }
}
