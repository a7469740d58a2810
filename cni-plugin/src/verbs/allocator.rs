//! The node's allocator, for a program that makes one call and ends.

use std::time::Duration;

use berth_ipam::{Ipam, NodeIdentity};
use berth_store::AnyStore;
use tokio::runtime::Runtime;

use crate::spec::{CniError, Code, Config};
use crate::wanted::node_name;

/// How many waiting releases one call makes besides its own work.
const DRAINED_PER_CALL: usize = 16;
/// How long an ADD works off others' releases before it answers.
const A_MOMENT: Duration = Duration::from_millis(100);

/// The allocator, with the runtime its store needs.
#[derive(Debug)]
pub(super) struct Allocator {
    pub(super) ipam: Ipam<AnyStore>,
    runtime: Runtime,
}

impl Allocator {
    /// Opens the store that the configuration names; a connection is made when it is needed. One
    /// that cannot be opened says so when it is asked, so that a DEL can note what waits for it.
    ///
    /// # Errors
    /// Code 7 where another plugin gives the addresses, or the node has no name; code 5.
    pub(super) fn open(config: &Config) -> Result<Self, CniError> {
        let own = config.ipam.own()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| CniError::io("event loop", &error))?;
        let node = NodeIdentity::load(node_name(config)?, &config.state_dir, random()?)?;
        let store = AnyStore::open_or_say(&own.store);
        let ipam = Ipam::new(store, &own.store, node, &config.state_dir);
        Ok(Self { ipam, runtime })
    }

    /// Waits for an answer of the store.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// As [`Allocator::drain`], for a caller that somebody waits for: not longer than a moment.
    ///
    /// A release cut off half-way is made again by the next call.
    pub(super) fn drain_briefly(&self) {
        let now = jiff::Timestamp::now();
        let drain = self.ipam.drain(DRAINED_PER_CALL, now);
        let cut = self.wait(async { tokio::time::timeout(A_MOMENT, drain).await });
        tracing::debug!(?cut, "drained");
    }

    /// Makes some of the releases that waited for the store; the next call goes on.
    pub(super) fn drain(&self) {
        let now = jiff::Timestamp::now();
        if let Err(error) = self.wait(self.ipam.drain(DRAINED_PER_CALL, now)) {
            tracing::debug!(%error, "waiting releases stay for the next call");
        }
    }
}

/// 16 random bytes.
pub(super) fn random() -> Result<[u8; 16], CniError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| CniError::new(Code::Internal, format!("no randomness: {error}")))?;
    Ok(bytes)
}
