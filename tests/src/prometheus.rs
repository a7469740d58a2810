//! A real Prometheus.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::debian;
use crate::netns::Netns;
use crate::process::Daemon;
use crate::scratch::Scratch;

/// How long it may take to come up, and to answer.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A Prometheus that scrapes one target each second, as the job `berth-traffic`. Gone on drop.
#[derive(Debug)]
pub struct Prometheus<'a> {
    netns: &'a Netns,
    address: SocketAddr,
    daemon: Daemon,
    _scratch: Scratch,
}

impl<'a> Prometheus<'a> {
    /// Starts one inside `netns`, with the rules of the file `rules`.
    ///
    /// # Panics
    /// When `prometheus` is not installed, or does not come up.
    pub fn start(netns: &'a Netns, target: SocketAddr, rules: &Path) -> Self {
        let scratch = Scratch::new("prometheus");
        let config = scratch.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [\"{}\"]\n\
             scrape_configs:\n\
             - job_name: berth-traffic\n\
             \x20 static_configs: [{{targets: [{:?}]}}]\n",
            rules.display(),
            target.to_string(),
        );
        fs::write(&config, text).expect("write its configuration");
        let address = netns.run(free_address);
        let mut command = netns.command(debian::require("prometheus", "prometheus"));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                scratch.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .current_dir(scratch.path());
        let mut daemon = Daemon::start(&mut command, &scratch.join("log"));
        let ready = || {
            netns
                .run(|| get(address, "/-/ready"))
                .is_some_and(|answer| answer.contains(" 200 "))
        };
        daemon.wait_ready(PATIENCE, ready);
        Self {
            netns,
            address,
            daemon,
            _scratch: scratch,
        }
    }

    /// What a query says now: the list of its results.
    ///
    /// # Panics
    /// When it is not understood.
    pub fn query(&self, query: &str) -> Vec<Value> {
        let answer = self.api(&format!("/api/v1/query?query={}", percent(query)));
        let result = answer.pointer("/data/result").and_then(Value::as_array);
        result
            .unwrap_or_else(|| panic!("{query}: {answer}"))
            .clone()
    }

    /// The number that a query says, where it says one.
    pub fn number(&self, query: &str) -> Option<f64> {
        let results = self.query(query);
        results.first()?.pointer("/value/1")?.as_str()?.parse().ok()
    }

    /// The answer of its API to `path`.
    ///
    /// # Panics
    /// When it is no success.
    pub fn api(&self, path: &str) -> Value {
        let answer = self
            .netns
            .run(|| get(self.address, path))
            .expect("Prometheus answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(" 200 "), "{path}: {answer}");
        serde_json::from_str(body).expect("JSON")
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        self.daemon.log()
    }
}

/// A port that was free a moment ago.
fn free_address() -> SocketAddr {
    let probe = TcpListener::bind("127.0.0.1:0").expect("find a free port");
    probe.local_addr().expect("its address")
}

/// The answer to a request of HTTP 1.0, which comes in one piece.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn percent(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    let one = |byte: u8| match Some(byte).filter(plain) {
        Some(byte) => char::from(byte).to_string(),
        None => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
