//! On a terminal it draws, does what keys say, and leaves the terminal as it was.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::pty::{Winsize, openpty};

use super::serve::Served;
use crate::support::program;

/// `cnictl top` on a terminal of 120 columns.
struct Terminal {
    child: Child,
    keys: File,
    seen: Arc<Mutex<String>>,
}

impl Terminal {
    fn start(url: &str) -> Self {
        let size = Winsize {
            ws_row: 30,
            ws_col: 120,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(Some(&size), None).expect("open a terminal");
        let end = || Stdio::from(pair.slave.try_clone().expect("duplicate it"));
        let mut command = program();
        command.args(["top", "--node", url]).env("TERM", "xterm");
        let child = command
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("start it");
        drop((command, pair.slave));
        let seen = Arc::new(Mutex::new(String::new()));
        let keys = File::from(pair.master.try_clone().expect("duplicate it"));
        let into = Arc::clone(&seen);
        thread::spawn(move || read_all(pair.master, &into));
        Self { child, keys, seen }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("press keys");
    }

    /// Waits until something is on the screen that was not before.
    #[expect(clippy::disallowed_methods, reason = "looks until it is there")]
    fn shows(&self, words: &str) {
        for _ in 0..1200 {
            if self.seen.lock().unwrap().contains(words) {
                self.seen.lock().unwrap().clear();
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{words:?} does not show: {:?}", self.seen.lock().unwrap());
    }
}

fn read_all(master: OwnedFd, into: &Mutex<String>) {
    let mut master = File::from(master);
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = master.read(&mut bytes) {
        let text = String::from_utf8_lossy(bytes.get(..read).unwrap()).into_owned();
        into.lock().unwrap().push_str(&text);
    }
}

#[test]
fn a_terminal_shows_rates_takes_keys_and_is_left_as_it_was() {
    let served = Served::plain();
    let mut terminal = Terminal::start(&served.url());
    terminal.shows("node-1");
    terminal.shows("Mbit/s");
    terminal.press("/");
    terminal.shows("filter:");
    terminal.press("web-1\r");
    terminal.press("p");
    terminal.press("\u{3}");
    let status = terminal.child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    terminal.shows("\u{1b}[?1049l");
}

#[test]
fn an_agent_that_goes_away_is_told_of_and_the_screen_stays() {
    let served = Served::plain();
    let mut terminal = Terminal::start(&served.url());
    terminal.shows("Mbit/s");
    drop(served);
    terminal.shows("cannot be reached");
    terminal.press("q");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
}
