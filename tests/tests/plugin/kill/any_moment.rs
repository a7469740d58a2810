//! Killed at no place in particular.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::ground::{Ground, Kind, NARROW};

/// Passes over all moments in the long run, each a little later than the one before.
const LONG_PASSES: u64 = 20;

/// Lets `command` run for so long, and kills it.
fn kill_after(ground: &Ground, id: &str, command: &str, after: Duration) {
    let container = ground.container(id);
    if command == "DEL" {
        container.add().success();
    }
    let running = container.start(command);
    thread::park_timeout(after);
    // It may have ended by itself.
    running
        .process()
        .signal(Signal::SIGKILL)
        .unwrap_or_default();
    running.finish();

    container.del().success();
    assert_eq!(
        container.netns.links(),
        [""; 0],
        "{command} killed after {after:?}"
    );
    ground.assert_clean(&format!("{command} killed after {after:?}"));
}

fn at_any_moment(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    let long = std::env::var_os("BERTH_LONG").is_some();
    for pass in 0..if long { LONG_PASSES } else { 1 } {
        for n in 0..30 {
            let after = Duration::from_micros(500 * n + 25 * pass);
            kill_after(&ground, &format!("add-{pass}-{n}"), "ADD", after);
            kill_after(&ground, &format!("del-{pass}-{n}"), "DEL", after);
        }
    }
    ground.assert_no_leak(13);
}

#[test]
fn case_32_killed_at_any_moment_nothing_is_left_embedded() {
    at_any_moment(Kind::Embedded);
}

#[test]
fn case_32_killed_at_any_moment_nothing_is_left_etcd() {
    at_any_moment(Kind::Etcd);
}
