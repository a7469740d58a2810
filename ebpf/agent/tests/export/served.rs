//! A server of the test's own, and a client that says exactly what it is told to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;
use traffic_agent::export::{ExportOptions, Source};
use traffic_agent::http::{Server, Settings};

/// How long anything may take on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A server on a free port of the loopback interface.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Served {
    pub(crate) fn start(source: Arc<impl Source>) -> Self {
        Self::with(source, Settings::default(), ExportOptions::default())
    }

    pub(crate) fn with(
        source: Arc<impl Source>,
        settings: Settings,
        options: ExportOptions,
    ) -> Self {
        let (end, ended) = oneshot::channel();
        let (told, address) = std::sync::mpsc::channel();
        let settings = Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            ..settings
        };
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = Server::bind(&settings, options, source).await.unwrap();
                told.send(server.address().unwrap()).unwrap();
                server.serve(async { drop(ended.await) }).await;
            });
        });
        let address = address.recv_timeout(PATIENCE).expect("the server listens");
        Self {
            address,
            end: Some(end),
            thread: Some(thread),
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// `GET path` with these lines in the head.
    pub(crate) fn get_with(&self, path: &str, lines: &str) -> Answer {
        self.say(&format!(
            "GET {path} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n"
        ))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &format!("Host: {}\r\n", self.address))
    }

    /// The body as text, which must have been sent.
    pub(crate) fn text(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        String::from_utf8(answer.body).unwrap()
    }

    /// Sends `request`, and reads until the other side closes.
    pub(crate) fn say(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is no matter.
        drop(stream.read_to_end(&mut answer));
        Answer::parse(&answer)
    }

    /// Ends it, and waits until it has.
    pub(crate) fn end(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends");
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec())
            .unwrap()
            .to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut body = bytes[end + 4..].to_vec();
        if head.contains("transfer-encoding: chunked") {
            body = unchunked(&body);
        }
        Self { status, head, body }
    }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&body[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.extend(&body[end + 2..end + 2 + length]);
        body = &body[end + 4 + length..];
    }
    whole
}
