//! Waiting for a condition with a deadline. The one place in the tests that sleeps.

use std::thread;
use std::time::{Duration, Instant};

/// How long the condition is left alone between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Returns as soon as `ready` answers true, looking every 10 ms.
///
/// # Panics
/// When `within` has passed; the message names `what`, which reads best as a claim
/// ("etcd answers", "the sandbox has an address").
pub fn until(within: Duration, what: &str, mut ready: impl FnMut() -> bool) {
    assert!(
        becomes_true(within, &mut ready),
        "not within {within:?}: {what}"
    );
}

/// Like [`until`], but answers whether `ready` became true instead of panicking.
#[expect(
    clippy::disallowed_methods,
    reason = "the polling loop every other wait goes through"
)]
pub fn becomes_true(within: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if ready() {
            return true;
        }
        if start.elapsed() >= within {
            return false;
        }
        thread::sleep(PAUSE);
    }
}
