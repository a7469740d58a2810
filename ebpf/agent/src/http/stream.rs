//! `/api/v1/stream`: what changes, each second, and only while somebody listens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::channel::{Channel, Sender};
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::debug;

use super::collect::Collector;
use super::rates::Rates;
use super::server::all_ends;
use crate::export::json;
use crate::model::{Pod, Snapshot};

/// Every second.
const PERIOD: Duration = Duration::from_secs(1);

/// One second, written once for all who listen.
#[derive(Clone, Debug)]
struct Second {
    /// Counted up: who has missed one is told everything.
    number: u64,
    snapshot: Arc<Snapshot>,
    /// For one who has seen nothing, where there was such a one.
    hello: Option<Bytes>,
    /// For one who has seen the second before.
    tick: Bytes,
}

/// All who listen.
#[derive(Debug)]
pub(crate) struct Streams {
    collector: Collector,
    room: Arc<Semaphore>,
    /// The channel of the running ticker, which ends once nobody listens.
    ticker: Mutex<Option<watch::Receiver<Option<Second>>>>,
    /// Somebody has seen nothing: writing everything down is most of the work.
    hello_wanted: AtomicBool,
    ending: watch::Receiver<bool>,
}

impl Streams {
    /// Nobody listens yet. All streams end when `ending` says so.
    pub(crate) fn new(
        collector: Collector,
        most: usize,
        ending: watch::Receiver<bool>,
    ) -> Arc<Self> {
        Arc::new(Self {
            collector,
            room: Arc::new(Semaphore::new(most)),
            ticker: Mutex::new(None),
            hello_wanted: AtomicBool::new(false),
            ending,
        })
    }

    /// The body of one who listens: to everything, or to one pod. `None` when too many do.
    pub(crate) fn open(self: &Arc<Self>, pod: Option<Pod>) -> Option<Body> {
        let permit = Arc::clone(&self.room).try_acquire_owned().ok()?;
        let seconds = self.listen();
        let (sender, body) = Channel::new(1);
        let listener = Listener {
            streams: Arc::clone(self),
            sender,
            seen: None,
            pod,
            _permit: permit,
        };
        drop(tokio::spawn(listener.run(seconds)));
        Some(Body::new(body))
    }

    /// Joins the running ticker, or starts one.
    fn listen(self: &Arc<Self>) -> watch::Receiver<Option<Second>> {
        let mut ticker = self.ticker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seconds) = ticker.as_ref() {
            return seconds.clone();
        }
        let (sender, seconds) = watch::channel(None);
        *ticker = Some(seconds.clone());
        drop(tokio::spawn(Arc::clone(self).tick(sender)));
        seconds
    }

    /// Looks each second, until nobody listens.
    async fn tick(self: Arc<Self>, seconds: watch::Sender<Option<Second>>) {
        debug!("somebody listens");
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rates = Rates::default();
        let mut last = period.tick().await;
        for number in 0.. {
            if self.is_over(&seconds) {
                debug!("nobody listens any more");
                return;
            }
            // Too slow is no reason to leave: whoever listens sees that nothing comes.
            if let Ok(snapshot) = self.collector.snapshot().await {
                let now = Instant::now();
                let elapsed = now.duration_since(last);
                last = now;
                seconds.send_replace(Some(self.second(&mut rates, snapshot, (number, elapsed))));
            }
            period.tick().await;
        }
    }

    /// Whether the ticker may end: decided under the lock by which others join it.
    fn is_over(&self, seconds: &watch::Sender<Option<Second>>) -> bool {
        let mut ticker = self.ticker.lock().unwrap_or_else(PoisonError::into_inner);
        // One receiver is the one that others join by.
        let over = seconds.receiver_count() <= 1 || *self.ending.borrow();
        if over {
            *ticker = None;
        }
        over
    }

    fn second(&self, rates: &mut Rates, snapshot: Arc<Snapshot>, at: (u64, Duration)) -> Second {
        let (number, elapsed) = at;
        let tick = rates.next(&snapshot, elapsed);
        let hello = self.hello_wanted.swap(false, Ordering::Relaxed);
        Second {
            number,
            snapshot,
            hello: hello.then(|| event("hello", &rates.hello(&tick))),
            tick: event("tick", &tick),
        }
    }
}

/// One event. JSON has no line ends in it.
fn event(name: &str, data: &impl serde::Serialize) -> Bytes {
    // Plain data with keys of text: writing it to memory cannot fail.
    let data = serde_json::to_string(data).unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// One who listens.
struct Listener {
    streams: Arc<Streams>,
    sender: Sender<Bytes>,
    /// The number of the last second that was sent.
    seen: Option<u64>,
    pod: Option<Pod>,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    /// Until the other side goes away, or all of it ends.
    async fn run(mut self, mut seconds: watch::Receiver<Option<Second>>) {
        let mut ending = self.streams.ending.clone();
        self.streams.hello_wanted.store(true, Ordering::Relaxed);
        loop {
            let changed = tokio::select! {
                changed = seconds.changed() => changed.is_ok(),
                () = all_ends(&mut ending) => false,
            };
            let second = seconds.borrow_and_update().clone();
            let (true, Some(second)) = (changed, second) else {
                return;
            };
            if let Some(bytes) = self.event(&second) {
                let sent = tokio::select! {
                    sent = self.sender.send(Frame::data(bytes)) => sent.is_ok(),
                    () = all_ends(&mut ending) => false,
                };
                if !sent {
                    return;
                }
            }
        }
    }

    /// What this second is to this listener.
    fn event(&mut self, second: &Second) -> Option<Bytes> {
        if let Some(pod) = &self.pod {
            let of_pod = |of: &Pod| of.namespace == pod.namespace && of.name == pod.name;
            let mut traffic = json::traffic_of(&second.snapshot, of_pod);
            traffic.workloads.clear();
            return Some(event("pod", &traffic));
        }
        let follows = self.seen.is_some_and(|seen| seen + 1 == second.number);
        let bytes = if follows {
            Some(&second.tick)
        } else {
            second.hello.as_ref()
        };
        match bytes {
            Some(_) => self.seen = Some(second.number),
            None => self.streams.hello_wanted.store(true, Ordering::Relaxed),
        }
        bytes.cloned()
    }
}
