//! A clock, randomness and a runtime for tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use berth_types::PoolName;
use jiff::Timestamp;

pub(crate) fn prod() -> PoolName {
    "prod".parse().expect("a name")
}

/// A moment that never changes.
pub(crate) fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// 16 bytes that no other call in any process gets.
pub(crate) fn random() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let number = u128::from(std::process::id()) << 64 | u128::from(next);
    number.to_be_bytes()
}

/// Runs `future` as the programs do, on the calling thread. A minute is far more than any needs.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let limited = async { tokio::time::timeout(Duration::from_mins(1), future).await };
    let ended = runtime.expect("runtime").block_on(limited);
    ended.expect("the test takes longer than a minute")
}
