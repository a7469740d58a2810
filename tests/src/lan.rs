//! A LAN of network namespaces: a bridge as the switch, and nodes plugged into it.
//!
//! ```text
//!   namespace "lan"             namespace "n1" (a node)      namespace of a container
//!   br0 10.20.1.1/24  ──port──  uplink0  ───macvlan───────   eth0
//! ```

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::capture::ArpCapture;
use crate::netns::Netns;
use crate::scratch::Scratch;

/// The bridge in the `lan` namespace.
pub const BRIDGE: &str = "br0";

/// The interface that every node reaches the LAN by; what a test configures as `master`.
pub const UPLINK: &str = "uplink0";

/// What the LAN looks like.
#[derive(Clone, Debug)]
pub struct LanOptions {
    /// The subnet of the containers, in CIDR notation.
    pub subnet: String,
    /// The address of the gateway in it; the bridge holds it.
    pub gateway: IpAddr,
    /// The MTU of the whole LAN, in bytes.
    pub mtu: u32,
}

impl Default for LanOptions {
    /// 10.20.1.0/24 with the gateway 10.20.1.1, and 1500 bytes.
    fn default() -> Self {
        Self {
            subnet: "10.20.1.0/24".to_owned(),
            gateway: IpAddr::from([10, 20, 1, 1]),
            mtu: 1500,
        }
    }
}

/// The LAN. Drop it after its nodes.
#[derive(Debug)]
pub struct Lan {
    netns: Netns,
    mtu: u32,
    address: Ipv4Addr,
    nodes: Cell<u8>,
}

impl Lan {
    /// Makes the LAN with nothing but its gateway.
    ///
    /// # Panics
    /// When the kernel refuses, or `options.subnet` has no prefix length.
    pub fn new(options: &LanOptions) -> Self {
        let netns = Netns::new("lan");
        let (_, prefix) = options
            .subnet
            .split_once('/')
            .expect("a subnet in CIDR notation");
        let mtu = options.mtu.to_string();
        netns.ip(&[
            "link",
            "add",
            BRIDGE,
            "mtu",
            &mtu,
            "type",
            "bridge",
            "forward_delay",
            "0",
            // It would report the groups that it listens to, to whoever counts frames.
            "mcast_snooping",
            "0",
        ]);
        let gateway = format!("{}/{prefix}", options.gateway);
        let address = Self::management_address(1);
        let management = format!("{address}/24");
        for address in [gateway, management] {
            // Usable at once: nobody else is here to detect a duplicate of an IPv6 address.
            let tentative: &[&str] = if address.contains(':') {
                &["nodad"]
            } else {
                &[]
            };
            netns.ip(&[&["address", "add", &address, "dev", BRIDGE], tentative].concat());
        }
        netns.ip(&["link", "set", BRIDGE, "up"]);
        Self {
            netns,
            mtu: options.mtu,
            address,
            nodes: Cell::new(0),
        }
    }

    /// The namespace with the bridge and the gateway.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The gateway's second address, in the subnet that the nodes' own addresses are in: where
    /// a store for several nodes listens.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Plugs a new node into the LAN.
    ///
    /// # Panics
    /// When the kernel refuses, or for the 253rd node.
    pub fn node(&self, name: &str) -> Node {
        let number = self.nodes.get() + 1;
        assert!(number < 253, "a LAN has room for 252 nodes");
        self.nodes.set(number);

        let netns = Netns::new(name);
        let (port, mtu) = (format!("port{number}"), self.mtu.to_string());
        let path = netns
            .path()
            .to_str()
            .expect("a temporary path in UTF-8")
            .to_owned();
        let ends = [
            "link", "add", &port, "mtu", &mtu, "type", "veth", "peer", "name", UPLINK,
        ];
        self.netns
            .ip(&[ends.as_slice(), &["mtu", &mtu, "netns", &path]].concat());
        self.netns
            .ip(&["link", "set", &port, "master", BRIDGE, "up"]);
        let address = Self::management_address(number + 1);
        netns.ip(&["address", "add", &format!("{address}/24"), "dev", UPLINK]);
        netns.ip(&["link", "set", UPLINK, "up"]);
        Node {
            netns,
            port,
            address,
            scratch: Scratch::new(&format!("{name}-state")),
        }
    }

    /// Pulls the node's cable: its port goes down.
    pub fn unplug(&self, node: &Node) {
        self.netns.ip(&["link", "set", &node.port, "down"]);
    }

    /// Puts the node's cable back.
    pub fn plug(&self, node: &Node) {
        self.netns.ip(&["link", "set", &node.port, "up"]);
    }

    /// Records ARP at the bridge from now on. Broadcasts of every node and container arrive
    /// there, and all that the gateway hears and says; unicast between two nodes does not.
    pub fn capture_arp(&self) -> ArpCapture {
        ArpCapture::start(&self.netns, BRIDGE)
    }

    /// The n-th address outside the containers' subnet.
    fn management_address(n: u8) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, 254, n)
    }
}

/// A machine on the LAN: its network namespace, and a place for the files of its plugin.
#[derive(Debug)]
pub struct Node {
    netns: Netns,
    port: String,
    address: Ipv4Addr,
    scratch: Scratch,
}

impl Node {
    /// The namespace that the node's plugins and runtimes run in.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The name given to [`Lan::node`].
    pub fn name(&self) -> &str {
        self.netns.name()
    }

    /// The node's own address on [`UPLINK`], outside the containers' subnet.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The path of `name` in the node's own directory; nothing is made.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// A command that runs on the node.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        self.netns.command(program)
    }

    /// An empty namespace for a container, as a runtime makes it before it calls the plugin.
    pub fn container(&self, name: &str) -> Netns {
        Netns::new(&format!("{}-{name}", self.name()))
    }
}
