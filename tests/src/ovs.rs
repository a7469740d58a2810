//! Open vSwitch on a node of the LAN, with its own datapath: no kernel module is needed. In the
//! virtual machine the same tests run with the kernel's.
//!
//! ```text
//!   namespace "lan"             namespace "n1" (a node)            namespace of a container
//!   br0 10.20.1.1/24  ──port──  uplink0 ── br-pods ── bv…  ─veth─  eth0
//! ```

use std::cell::RefCell;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::debian;
use crate::lan::{Node, UPLINK};
use crate::netns::command_in;
use crate::process::{self, Daemon};
use crate::scratch::Scratch;

/// The bridge that the node's uplink is a port of; what a test configures as `bridge`.
pub const BRIDGE: &str = "br-pods";

/// The links that `ovs-vswitchd` has on the node for itself: one of either datapath, and the
/// bridge's.
pub const LINKS: [&str; 3] = ["ovs-netdev", "ovs-system", BRIDGE];

/// The name of the kernel's datapath.
const KERNEL: &str = "system";

/// How long either program has to come up, and `ovs-vsctl` for its answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A program that a test stops and starts again.
type Server = RefCell<Option<Daemon>>;

/// The database and the switch of one node. Both are killed on drop: drop it before the node.
#[derive(Debug)]
pub struct Ovs {
    switch: Server,
    database: Server,
    /// The node's network namespace.
    netns: PathBuf,
    scratch: Scratch,
}

impl Ovs {
    /// Starts both on `node`, with the bridge [`BRIDGE`] and the node's uplink in it. They live at
    /// most as long as the thread that calls this.
    ///
    /// # Panics
    /// When `openvswitch-switch` is not installed, or they do not come up; with their log.
    pub fn start(node: &Node) -> Self {
        let ovs = Self {
            switch: Server::default(),
            database: Server::default(),
            netns: node.netns().path().to_owned(),
            scratch: Scratch::new(&format!("{}-ovs", node.name())),
        };
        ovs.create_database();
        ovs.start_database();
        ovs.vsctl(&["--no-wait", "init"]);
        // Without it, TCP between two containers fails: nobody fills the checksums in.
        let tso = "other_config:userspace-tso-enable=true";
        ovs.vsctl(&["--no-wait", "set", "Open_vSwitch", ".", tso]);
        ovs.start_switch();
        ovs.add_bridge(BRIDGE);
        ovs.vsctl(&["add-port", BRIDGE, UPLINK]);
        if datapath() == KERNEL {
            stand_on_bridge(node);
        }
        ovs
    }

    /// The unix socket of the database: what a test configures as `ovsdb`.
    pub fn socket(&self) -> PathBuf {
        self.scratch.join("db.sock")
    }

    /// Makes one more bridge, without any port.
    ///
    /// # Panics
    /// As [`Ovs::vsctl`].
    pub fn add_bridge(&self, name: &str) {
        let datapath = format!("datapath_type={}", datapath());
        let make = ["add-br", name, "--", "set", "bridge", name];
        self.vsctl(&[&make[..], &[&datapath, "fail_mode=standalone"]].concat());
    }

    /// What `ovs-vsctl` with `arguments` prints; it waits until the switch has done it.
    ///
    /// # Panics
    /// When it fails, or the switch does nothing for a minute.
    pub fn vsctl(&self, arguments: &[&str]) -> String {
        process::output(self.tool("ovs-vsctl").args(arguments))
    }

    /// The names of the bridge's ports, but the uplink's.
    pub fn ports(&self) -> Vec<String> {
        let listed = self.vsctl(&["--no-wait", "list-ports", BRIDGE]);
        let ports = listed.lines().filter(|name| *name != UPLINK);
        ports.map(str::to_owned).collect()
    }

    /// A column of the row `name` of `table`, as OVSDB writes it in JSON.
    ///
    /// # Panics
    /// As [`Ovs::vsctl`].
    pub fn column(&self, table: &str, name: &str, column: &str) -> Value {
        let columns = format!("--columns={column}");
        let shown = ["--no-wait", "--format=json", &columns, "list", table, name];
        let shown: Value = serde_json::from_str(&self.vsctl(&shown)).expect("a table in JSON");
        let cell = shown.pointer("/data/0/0").cloned();
        cell.unwrap_or_else(|| panic!("no {column} of {table} {name}: {shown}"))
    }

    /// A value of the column `external_ids` of the port `name`.
    pub fn external_id(&self, name: &str, key: &str) -> Option<String> {
        let ids = self.column("Port", name, "external_ids");
        let pairs = ids.get(1)?.as_array()?.clone();
        let pair = pairs
            .into_iter()
            .find(|pair| pair.get(0).is_some_and(|k| k == key))?;
        Some(pair.get(1)?.as_str()?.to_owned())
    }

    /// Kills the database and removes its socket; its content stays.
    pub fn kill_database(&self) {
        self.database.replace(None);
        // As after a reboot. It removes the socket itself when it ends in order.
        fs::remove_file(self.socket()).unwrap_or_default();
    }

    /// Takes the database's socket away: nobody can connect, and who is connected stays so.
    ///
    /// # Panics
    /// When it is not there.
    pub fn hide_database(&self) {
        fs::rename(self.socket(), self.hidden()).expect("put the socket aside");
    }

    /// Puts the socket back, in the place of whatever is there.
    ///
    /// # Panics
    /// When it was not taken away.
    pub fn show_database(&self) {
        fs::rename(self.hidden(), self.socket()).expect("put the socket back");
    }

    /// Waits until the switch has done all that the database says. Where the database was away,
    /// the switch tries again after a second, and then ever later.
    ///
    /// # Panics
    /// When it does not, in half a minute.
    pub fn settle(&self) {
        self.vsctl(&[
            "--timeout=30",
            "set",
            "Open_vSwitch",
            ".",
            "external_ids:settled=yes",
        ]);
    }

    /// Kills the switch. Its ports stay in the database.
    pub fn kill_switch(&self) {
        self.switch.replace(None);
    }

    /// Stops the database: who connects gets no answer.
    pub fn pause_database(&self) {
        signal(&self.database, Signal::SIGSTOP);
    }

    /// Lets the database go on, with all that it was asked meanwhile.
    pub fn resume_database(&self) {
        signal(&self.database, Signal::SIGCONT);
    }

    /// Stops the switch: nothing that the database says is done.
    pub fn pause_switch(&self) {
        signal(&self.switch, Signal::SIGSTOP);
    }

    /// Lets the switch go on.
    pub fn resume_switch(&self) {
        signal(&self.switch, Signal::SIGCONT);
    }

    /// Starts the database, on what is in its file.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_database(&self) {
        let mut command = self.daemon("ovsdb-server", "ovsdb");
        command.arg(self.scratch.join("conf.db"));
        command.arg(format!("--remote=punix:{}", self.socket().display()));
        let mut database = Daemon::start(&mut command, &self.scratch.join("ovsdb.log"));
        let socket = self.socket();
        // It is there a moment before anybody listens.
        database.wait_ready(PATIENCE, || UnixStream::connect(&socket).is_ok());
        self.database.replace(Some(database));
    }

    /// Starts the switch; it takes up what the database says.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_switch(&self) {
        let mut command = self.daemon("ovs-vswitchd", "vswitchd");
        command.arg(self.remote());
        let mut switch = Daemon::start(&mut command, &self.scratch.join("vswitchd.log"));
        let control = self.scratch.join("vswitchd.ctl");
        switch.wait_ready(PATIENCE, || control.exists());
        self.switch.replace(Some(switch));
    }

    fn create_database(&self) {
        let schema = Path::new("/usr/share/openvswitch/vswitch.ovsschema");
        let mut command = command_in(&self.netns, require("ovsdb-tool"));
        command.arg("create").arg(self.scratch.join("conf.db"));
        process::output(command.arg(schema));
    }

    fn hidden(&self) -> PathBuf {
        self.scratch.join("hidden.sock")
    }

    fn remote(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// A server of Open vSwitch with its files in the scratch directory.
    fn daemon(&self, program: &str, name: &str) -> Command {
        // What a killed one left says nothing about the next.
        let control = self.scratch.join(format!("{name}.ctl"));
        fs::remove_file(&control).unwrap_or_default();
        let mut command = command_in(&self.netns, require(program));
        command.env("OVS_RUNDIR", self.scratch.path());
        command.arg(format!("--unixctl={}", control.display()));
        command.arg("-vsyslog:off");
        command
    }

    fn tool(&self, program: &str) -> Command {
        let mut command = command_in(&self.netns, require(program));
        command.env("OVS_RUNDIR", self.scratch.path());
        command.arg(format!("--db={}", self.remote()));
        command.arg(format!("--timeout={}", PATIENCE.as_secs()));
        command
    }
}

/// Whose datapath bridges have: `netdev`, Open vSwitch's own, which needs nothing of the kernel;
/// or [`KERNEL`], where `BERTH_OVS_DATAPATH` says so.
fn datapath() -> String {
    std::env::var("BERTH_OVS_DATAPATH").unwrap_or_else(|_| "netdev".to_owned())
}

/// A port of the kernel's datapath hands all frames to that, none to the node: its own address has
/// to be the bridge's.
fn stand_on_bridge(node: &Node) {
    let (netns, address) = (node.netns(), format!("{}/24", node.address()));
    netns.ip(&["address", "del", &address, "dev", UPLINK]);
    netns.ip(&["address", "add", &address, "dev", BRIDGE]);
    netns.ip(&["link", "set", BRIDGE, "up"]);
}

fn require(program: &str) -> PathBuf {
    debian::require(program, "openvswitch-switch")
}

fn signal(server: &Server, signal: Signal) {
    let running = server.borrow();
    running.as_ref().expect("it runs").signal(signal);
}
