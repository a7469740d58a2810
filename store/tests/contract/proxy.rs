//! A TCP proxy that loses answers on request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of what the server says. What the client says always arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Answers {
    /// They arrive.
    Pass,
    /// They vanish, the connection stays.
    Vanish,
    /// The first one breaks the connection.
    Break,
}

/// Runs on the runtime it was started on.
pub(crate) struct Proxy {
    address: SocketAddr,
    answers: Arc<AtomicU8>,
}

impl Proxy {
    /// Forwards to `server`, as `host:port`.
    pub(crate) async fn start(server: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind");
        let address = listener.local_addr().expect("address");
        let answers = Arc::new(AtomicU8::new(0));
        let (server, mode) = (server.to_owned(), Arc::clone(&answers));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server)
                    .await
                    .expect("connect to the server");
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(forward(from_client, to_server, Arc::new(AtomicU8::new(0))));
                tokio::spawn(forward(from_server, to_client, Arc::clone(&mode)));
            }
        });
        Self { address, answers }
    }

    /// From here on.
    pub(crate) fn set(&self, answers: Answers) {
        let mode = match answers {
            Answers::Pass => 0,
            Answers::Vanish => 1,
            Answers::Break => 2,
        };
        self.answers.store(mode, Ordering::SeqCst);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mode: Arc<AtomicU8>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(size) = from.read(&mut buffer).await {
        let lost = match mode.load(Ordering::SeqCst) {
            0 => false,
            1 => true,
            _ => return,
        };
        if size == 0 || (!lost && to.write_all(&buffer[..size]).await.is_err()) {
            return;
        }
    }
}
