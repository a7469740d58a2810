//! A server and a browser in a namespace of the test's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use e2e::browser::{Browser, PATIENCE};
use e2e::netns::Netns;
use tokio::sync::oneshot;
use traffic_agent::export::{ExportOptions, Source};
use traffic_agent::http::{Server, Settings};

/// A server on a free port of the loopback interface of the namespace that its thread is in.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn start(source: Arc<impl Source>) -> Self {
        Self::on(0, source)
    }

    /// The same on a port that may have been in use before.
    pub(crate) fn on(port: u16, source: Arc<impl Source>) -> Self {
        Self::with(port, source, ExportOptions::default())
    }

    pub(crate) fn with(port: u16, source: Arc<impl Source>, options: ExportOptions) -> Self {
        let (end, ended) = oneshot::channel();
        let (told, address) = std::sync::mpsc::channel();
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], port)),
            ..Settings::default()
        };
        let body = async move {
            let server = Server::bind(&settings, options, source).await;
            let server = server.expect("the server listens");
            told.send(server.address().unwrap()).unwrap();
            server.serve(async { drop(ended.await) }).await;
        };
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build();
            runtime.unwrap().block_on(body);
        });
        let address = address.recv_timeout(PATIENCE).expect("the server listens");
        Self {
            address,
            end: Some(end),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
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

/// Runs `body` with a browser and a server of `source`.
pub(crate) fn with_browser(source: Arc<impl Source>, body: impl FnOnce(&Browser, &Served) + Send) {
    let netns = Netns::new("page");
    netns.run(|| {
        let served = Served::start(source);
        let browser = Browser::start(&netns);
        body(&browser, &served);
    });
}
