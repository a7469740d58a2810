//! Connections: accepted, bounded, and ended in peace.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::collect::Collector;
use super::guard::{Guard, Local};
use super::routes::{Shared, routes};
use super::settings::{Checked, Settings, SettingsError};
use super::stream::Streams;
use crate::export::{ExportOptions, Source};

/// How long a client may take over its request, and how long a connection may rest between two.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// How long a client may take over TLS.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// How long those that are being answered may go on when all ends.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The largest head of a request, in bytes, and the most headers in it.
const LARGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;

/// After an error of accept, which is want of descriptors, before the next try.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// The server cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What was asked for makes no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The address cannot be listened on.
    #[error("--listen {listen}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// No thread could be started.
    #[error("the thread that reads the counters cannot be started")]
    Thread(#[source] io::Error),
}

impl ServeError {
    /// What to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Settings(error) => error.hint(),
            Self::Listen { .. } => "give a free address of this machine by --listen",
            Self::Thread(_) => "allow the agent more threads",
        }
    }
}

/// A server that listens, but does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    room: Arc<Semaphore>,
    patience: Duration,
    /// Says that all ends; kept by the streams as well.
    ending: watch::Sender<bool>,
}

impl Server {
    /// Checks the settings and begins to listen.
    ///
    /// # Errors
    /// [`ServeError`]: nothing is served then.
    pub async fn bind(
        settings: &Settings,
        options: ExportOptions,
        source: Arc<dyn Source>,
    ) -> Result<Self, ServeError> {
        let Checked {
            listen,
            hosts,
            tls,
            token,
            cadvisor,
            connections,
            streams,
            patience,
        } = settings.check()?;
        let bound = TcpListener::bind(listen).await;
        let listener = bound.map_err(|error| ServeError::Listen { listen, error })?;
        let collector = Collector::start(source, options).map_err(ServeError::Thread)?;
        let (ending, ended) = watch::channel(false);
        let shared = Shared {
            streams: Streams::new(collector.clone(), streams, ended),
            collector,
        };
        Ok(Self {
            listener,
            tls,
            router: routes(shared, Guard { hosts, token }, cadvisor),
            room: Arc::new(Semaphore::new(connections)),
            patience,
            ending,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The kernel's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `end` comes to its end; then lets those that are being answered go on for a
    /// few seconds.
    pub async fn serve(self, end: impl Future<Output = ()>) {
        let mut end = std::pin::pin!(end);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut end => break,
                Some(_done) = connections.join_next() => continue,
            };
            match accepted {
                // Without room the connection is closed at once: whoever waits for nothing would
                // not know why.
                Ok((stream, peer)) => match Arc::clone(&self.room).try_acquire_owned() {
                    Ok(permit) => drop(connections.spawn(self.connection(stream, permit))),
                    Err(_full) => debug!(%peer, "too many connections"),
                },
                Err(error) => {
                    warn!(%error, "no connection can be accepted");
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
        }
        drop(self.listener);
        self.ending.send_replace(true);
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(END_WITHIN, all).await.is_err() {
            warn!("some connections were cut off");
        }
    }

    /// One connection from its beginning to its end.
    fn connection(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (tls, router) = (self.tls.clone().map(TlsAcceptor::from), self.router.clone());
        let mut patient = TimeoutStream::new(stream);
        patient.set_write_timeout(Some(self.patience));
        let ending = self.ending.subscribe();
        async move {
            let done = serve_one(patient, tls, router, ending).await;
            if let Err(error) = done {
                debug!(%error, "a connection ended badly");
            }
            drop(permit);
        }
    }
}

/// Waits until the server is to end.
pub(super) async fn all_ends(ending: &mut watch::Receiver<bool>) {
    // The lock that comes with the answer must not be kept.
    drop(ending.wait_for(|ending| *ending).await);
}

async fn serve_one(
    stream: TimeoutStream<TcpStream>,
    tls: Option<TlsAcceptor>,
    router: Router,
    ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let local = Local(stream.get_ref().local_addr()?.ip());
    stream.get_ref().set_nodelay(true)?;
    let router = router.layer(Extension(local));
    match tls {
        None => answer(Box::pin(stream), router, ending).await,
        Some(tls) => {
            let handshake = tls.accept(Box::pin(stream));
            let stream = tokio::time::timeout(HANDSHAKE_WITHIN, handshake).await??;
            answer(stream, router, ending).await
        }
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    router: Router,
    mut ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let done = tokio::select! {
        done = connection.as_mut() => done,
        () = all_ends(&mut ending) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    done.map_err(io::Error::other)
}
