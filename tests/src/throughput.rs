//! How much TCP carries between two namespaces, as iperf3 measures it.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::debian;
use crate::netns::Netns;
use crate::process::Daemon;
use crate::scratch::Scratch;

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

/// The other side: where an iperf3 waits for a container while it is measured.
#[derive(Debug)]
pub struct Peer<'a> {
    netns: &'a Netns,
    address: IpAddr,
}

impl<'a> Peer<'a> {
    /// The other side at `address` of `netns`; nothing is started.
    pub fn at(netns: &'a Netns, address: IpAddr) -> Self {
        Self { netns, address }
    }

    /// What TCP delivers in so many seconds, after one that does not count, in bits a second of
    /// frames with an MTU of 1,500.
    ///
    /// iperf3 counts what the program at the end reads, 1,448 bytes of each frame; a limit counts
    /// frames without preamble and checksum, 1,514 bytes.
    ///
    /// # Panics
    /// When iperf3 is not installed, does not come up, or measures nothing.
    pub fn measure(&self, container: &Netns, way: Way, seconds: u32) -> f64 {
        // One for each: a server that misses the end of a measurement stays busy for good.
        let scratch = Scratch::new("iperf3");
        let _server = self.serve(&scratch);
        let answer = self.run(container, way, seconds);
        let received = answer.pointer("/end/sum_received/bits_per_second");
        let received = received.and_then(Value::as_f64);
        let received = received.unwrap_or_else(|| panic!("iperf3 measured nothing: {answer}"));
        received * 1514.0 / 1448.0
    }

    fn serve(&self, scratch: &Scratch) -> Daemon {
        let mut command = self.netns.command(debian::require("iperf3", "iperf3"));
        command.args(["--server", "--forceflush", "--bind"]);
        command.arg(self.address.to_string());
        let log = scratch.join("log");
        let mut server = Daemon::start(&mut command, &log);
        let up = || fs::read_to_string(&log).is_ok_and(|log| log.contains("Server listening"));
        server.wait_ready(Duration::from_secs(5), up);
        server
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
