//! How much TCP carries between two namespaces, as iperf3 measures it.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::debian;
use crate::netns::Netns;
use crate::process::Daemon;
use crate::scratch::Scratch;
use crate::wait;

/// Whose side sends, as the container sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The other side sends to the container.
    Ingress,
    /// The container sends.
    Egress,
}

impl Way {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ingress, Self::Egress];

    /// `ingress` or `egress`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

/// The other side: an iperf3 that waits for containers. Gone on drop.
#[derive(Debug)]
pub struct Peer {
    address: IpAddr,
    /// Ends before its log.
    _server: Daemon,
    _scratch: Scratch,
}

impl Peer {
    /// Starts it at `address` of `netns`.
    ///
    /// # Panics
    /// When iperf3 is not installed or does not come up.
    pub fn start(netns: &Netns, address: IpAddr) -> Self {
        let scratch = Scratch::new("iperf3");
        let mut command = netns.command(debian::require("iperf3", "iperf3"));
        command.args(["--server", "--forceflush", "--bind", &address.to_string()]);
        let log = scratch.join("log");
        let mut server = Daemon::start(&mut command, &log);
        let said = |log: &str| log.contains("Server listening");
        let up = || said(&std::fs::read_to_string(&log).unwrap_or_default());
        server.wait_ready(Duration::from_secs(5), up);
        Self {
            address,
            _server: server,
            _scratch: scratch,
        }
    }

    /// What TCP delivers in so many seconds, after one that does not count, in bits a second of
    /// frames with an MTU of 1,500.
    ///
    /// iperf3 counts what the program at the end reads, 1,448 bytes of each frame; a limit counts
    /// frames without preamble and checksum, 1,514 bytes.
    ///
    /// # Panics
    /// When the peer cannot be reached.
    pub fn measure(&self, container: &Netns, way: Way, seconds: u32) -> f64 {
        let (mut received, mut answer) = (None, Value::Null);
        // It serves one container at a time, and is busy for some milliseconds after the last.
        let measured = wait::becomes_true(Duration::from_secs(10), || {
            answer = self.run(container, way, seconds);
            let rate = answer.pointer("/end/sum_received/bits_per_second");
            received = rate.and_then(Value::as_f64);
            answer.get("error").is_none() && received.is_some()
        });
        assert!(measured, "iperf3 measured nothing: {answer}");
        received.unwrap_or_default() * 1514.0 / 1448.0
    }

    fn run(&self, container: &Netns, way: Way, seconds: u32) -> Value {
        let mut command = container.command(debian::require("iperf3", "iperf3"));
        command.args(["--json", "--omit", "1", "--connect-timeout", "2000"]);
        command.args(["--time", &seconds.to_string()]);
        command.args(["--client", &self.address.to_string()]);
        if way == Way::Ingress {
            command.arg("--reverse");
        }
        let ran = command.output().expect("start iperf3");
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| json!({"error": format!("{ran:?}")}))
    }
}
