//! The server beside everything else the agent does: on threads of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tracing::error;

use super::server::{ServeError, Server};
use super::settings::Settings;
use crate::export::{ExportOptions, Source};
use crate::kernel::privileges::{Needs, keep_only};

/// Enough for sockets: the counters are read elsewhere.
const THREADS: usize = 2;

/// A server that answers.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Running {
    /// Starts one, which listens when this returns.
    ///
    /// # Errors
    /// [`ServeError`]: nothing is served then.
    pub fn start(
        settings: &Settings,
        options: &ExportOptions,
        source: Arc<dyn Source>,
    ) -> Result<Self, ServeError> {
        let runtime = runtime().map_err(ServeError::Thread)?;
        let server = runtime.block_on(Server::bind(settings, options.clone(), source))?;
        let listen = settings.listen;
        let address = server.address();
        let address = address.map_err(|error| ServeError::Listen { listen, error })?;
        let (end, ended) = oneshot::channel();
        let body = move || {
            keep_only(Needs::Nothing);
            runtime.block_on(server.serve(async { drop(ended.await) }));
        };
        let thread = thread::Builder::new().name("http".into()).spawn(body);
        let thread = thread.map_err(ServeError::Thread)?;
        Ok(Self {
            address,
            end,
            thread,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, once those that are being answered have their answers, or a few seconds passed.
    pub fn end(self) {
        drop(self.end);
        if self.thread.join().is_err() {
            error!("the server ended by a mistake of its own");
        }
    }
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("http-worker")
        .on_thread_start(|| keep_only(Needs::Nothing))
        .enable_all()
        .build()
}
