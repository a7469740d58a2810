//! One thread that reads the counters and writes them down, for however many who ask.
//!
//! Requests wait for it without holding a thread; those of one moment share one look and one text.
//! If reading takes too long they are told so, and the thread goes on.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::{mpsc, oneshot};

use super::negotiate::Packing;
use crate::export::{ExportOptions, Exporter, Exposition, Format, Process, Source};
use crate::kernel::privileges::{Needs, keep_only};
use crate::model::Snapshot;

/// How old a look may be for one who asks.
const FRESH: Duration = Duration::from_millis(250);

/// How long one who asks waits: less than the ten seconds that Prometheus does.
const PATIENCE: Duration = Duration::from_secs(8);

/// How many may wait at once.
const WAITING: usize = 256;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sheet {
    /// `/metrics`.
    Metrics,
    /// `/metrics/cadvisor`.
    Cadvisor,
}

/// The ways a text can be had.
pub(crate) type Wanted = (Sheet, Format, Packing);

/// Asks the thread.
#[derive(Clone, Debug)]
pub(crate) struct Collector(mpsc::Sender<Ask>);

/// The counters could not be read in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("reading the counters takes too long; ask again")]
pub(crate) struct TooSlow;

#[derive(Debug)]
enum Ask {
    Text(Wanted, oneshot::Sender<Bytes>),
    Snapshot(oneshot::Sender<Arc<Snapshot>>),
}

impl Collector {
    /// Starts the thread, which ends when nobody can ask any more.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub(crate) fn start(source: Arc<dyn Source>, options: ExportOptions) -> io::Result<Self> {
        let (asks, asked) = mpsc::channel(WAITING);
        let clerk = Clerk {
            source,
            exporter: Exporter::new(options),
            look: None,
        };
        let work = move || {
            keep_only(Needs::Maps);
            clerk.work(asked);
        };
        // Not joined: it holds nothing that has to be given back.
        drop(thread::Builder::new().name("collect".into()).spawn(work)?);
        Ok(Self(asks))
    }

    /// A text, in the form and packing wanted.
    pub(crate) async fn text(&self, wanted: Wanted) -> Result<Bytes, TooSlow> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Text(wanted, reply), answer).await
    }

    /// What is known now.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Snapshot>, TooSlow> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Snapshot(reply), answer).await
    }

    async fn ask<T>(&self, ask: Ask, answer: oneshot::Receiver<T>) -> Result<T, TooSlow> {
        let sent = self.0.try_send(ask);
        sent.map_err(|_full| TooSlow)?;
        let answered = tokio::time::timeout(PATIENCE, answer).await;
        let answered = answered.map_err(|_elapsed| TooSlow)?;
        answered.map_err(|_gone| TooSlow)
    }
}

/// Does the work.
struct Clerk {
    source: Arc<dyn Source>,
    exporter: Exporter,
    look: Option<Look>,
}

/// One look, and the texts that were made of it.
struct Look {
    begun: Instant,
    exposition: Exposition,
    texts: BTreeMap<Wanted, Bytes>,
}

impl Clerk {
    fn work(mut self, mut asked: mpsc::Receiver<Ask>) {
        while let Some(ask) = asked.blocking_recv() {
            // Whoever has gone away in the meantime misses nothing.
            match ask {
                Ask::Text(_, reply) if reply.is_closed() => {}
                Ask::Snapshot(reply) if reply.is_closed() => {}
                Ask::Text(wanted, reply) => drop(reply.send(self.text(wanted))),
                Ask::Snapshot(reply) => {
                    let snapshot = Arc::clone(self.look().exposition.snapshot());
                    drop(reply.send(snapshot));
                }
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the loop that reads the clock"
    )]
    fn text(&mut self, wanted: Wanted) -> Bytes {
        let look = self.look();
        if let Some(text) = look.texts.get(&wanted) {
            return text.clone();
        }
        let text = written(&look.exposition, wanted);
        // Of a look that has served others it would say how long those waited for each other.
        let took = look
            .texts
            .is_empty()
            .then(|| Instant::now().duration_since(look.begun));
        look.texts.insert(wanted, text.clone());
        if let Some(took) = took {
            self.exporter.took(took);
        }
        text
    }

    /// The last look while it is fresh, else a new one.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the loop that reads the clock"
    )]
    fn look(&mut self) -> &mut Look {
        let now = Instant::now();
        let kept = self.look.take();
        let kept = kept.filter(|look| now.duration_since(look.begun) < FRESH);
        let look = kept.unwrap_or_else(|| Look {
            begun: now,
            exposition: self
                .exporter
                .look(self.source.snapshot(), Process::look().ok()),
            texts: BTreeMap::new(),
        });
        self.look.insert(look)
    }
}

fn written(exposition: &Exposition, (sheet, format, packing): Wanted) -> Bytes {
    let text = match sheet {
        Sheet::Metrics => exposition.text(format),
        Sheet::Cadvisor => exposition.cadvisor(format),
    };
    match packing {
        Packing::Plain => Bytes::from(text),
        Packing::Gzip => gzip(text.as_bytes()),
    }
}

/// Packs at the lowest level: the text is so repetitive that a higher one gains little.
pub(crate) fn gzip(text: &[u8]) -> Bytes {
    let mut packer = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    // Writing to memory cannot fail.
    let packed = packer.write_all(text).and_then(|()| packer.finish());
    Bytes::from(packed.unwrap_or_default())
}
