//! Killed at no place in particular.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::ground::{Ground, Kind, NARROW};

/// Lets `command` run for `n` half milliseconds, and kills it.
fn kill_after(ground: &Ground, id: &str, command: &str, n: u64) {
    let container = ground.container(id);
    if command == "DEL" {
        container.add().success();
    }
    let running = container.start(command);
    thread::park_timeout(Duration::from_micros(500 * n));
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
        "{command} killed after {n} × 0.5 ms"
    );
    ground.assert_clean(&format!("{command} killed after {n} × 0.5 ms"));
}

fn at_any_moment(kind: Kind) {
    let ground = Ground::new(kind, NARROW);
    for n in 0..30 {
        kill_after(&ground, &format!("add-{n}"), "ADD", n);
        kill_after(&ground, &format!("del-{n}"), "DEL", n);
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
