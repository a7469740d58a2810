//! What was observed, as plain data.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use berth_cni::host::Link;
use berth_cni::spec::{CniError, MainConfig};
use berth_types::{PoolName, PoolRecord, VlanId};

use crate::conf::Conf;

/// A look that told nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unseen {
    /// It did not end in time.
    Late,
    /// It failed, with these words.
    Failed(String),
    /// There was no point in it, for this reason.
    Moot(String),
}

/// What a look told.
pub(super) type Seen<T> = Result<T, Unseen>;

/// One network of ours.
#[derive(Debug)]
pub(super) struct SeenNetwork {
    /// Its configuration, as it stands in the file.
    pub(super) conf: Conf,
    /// What the plugin makes of it, and what is there; or the plugin's error.
    pub(super) parsed: Result<SeenParts, CniError>,
}

/// What a network needs, as far as it is there.
#[derive(Debug)]
pub(super) struct SeenParts {
    /// The configuration.
    pub(super) config: MainConfig,
    /// The link its interfaces stand on.
    pub(super) parent: Seen<Option<Parent>>,
    /// The VLAN sub-interfaces of that link.
    pub(super) vlans: Seen<Vec<Link>>,
    /// Whether the bridge is in Open vSwitch's database; of the driver `ovs` only.
    pub(super) bridge: Option<Seen<bool>>,
    /// What the store says.
    pub(super) store: Seen<SeenStore>,
    /// Who answers a frame of a fresh interface; one for each VLAN that has gateways.
    pub(super) gateways: Vec<(Option<VlanId>, Seen<Answers>)>,
    /// The plugin's program.
    pub(super) plugin: Seen<Plugin>,
    /// `runDir` and `stateDir`.
    pub(super) folders: Seen<Vec<Folder>>,
}

/// The link that interfaces stand on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    /// The link.
    pub(super) link: Link,
    /// Whether its cable is in, as far as the node can tell.
    pub(super) carrier: bool,
}

/// What the store says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SeenStore {
    /// Why it is closed; `None` while it is open.
    pub(super) closed: Option<String>,
    /// Whether its endpoints are of more than one store.
    pub(super) mixed: bool,
    /// Which store answered.
    pub(super) lineage: String,
    /// Why this node's name is not its own, with what to do.
    pub(super) not_ours: Option<(String, String)>,
    /// The pools of the configuration, or what is wrong with them.
    pub(super) pools: Vec<(PoolName, Result<PoolRecord, String>)>,
    /// How far the store's clock is ahead of this node's, in seconds; `None` where it does not say.
    pub(super) ahead_s: Option<i64>,
}

/// What a temporary interface of a hardware address of its own heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    /// Gateways that answered it.
    pub(super) answered: BTreeSet<IpAddr>,
    /// Gateways that answered only the parent, under the parent's own hardware address.
    pub(super) only_parent: BTreeSet<IpAddr>,
    /// Gateways that answered nobody.
    pub(super) silent: BTreeSet<IpAddr>,
}

/// The plugin's program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plugin {
    /// Where it is; `None` where no folder has it.
    pub(super) path: Option<PathBuf>,
    /// The versions of the specification that it speaks.
    pub(super) versions: Vec<String>,
    /// Why they are not known.
    pub(super) problem: Option<String>,
}

/// A folder of the plugin's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    /// The field that names it.
    pub(super) field: &'static str,
    /// Its path.
    pub(super) path: PathBuf,
    /// Why nothing can be written to it.
    pub(super) problem: Option<String>,
}

/// The host.
#[derive(Debug)]
pub(super) struct SeenNode {
    /// The effective capabilities of this process, as the kernel's bits.
    pub(super) capabilities: Seen<u64>,
    /// How many neighbours the kernel remembers at most, IPv4 and IPv6; `None` where it does not
    /// say, as in a container.
    pub(super) neighbours: Seen<[Option<u64>; 2]>,
    /// Whether the BPF file system is mounted at its place.
    pub(super) bpffs: Seen<bool>,
    /// Whether the kernel's clock is synchronised.
    pub(super) synchronised: Seen<bool>,
    /// Whether the kernel has or can load 802.1Q.
    pub(super) can_tag: Seen<bool>,
    /// Why the kernel cannot limit a container's traffic.
    pub(super) limits_refused: Seen<Option<CniError>>,
    /// Whether the node forwards, IPv4 and IPv6.
    pub(super) forwards: Seen<[bool; 2]>,
    /// What manages the host's links.
    pub(super) managers: Seen<Vec<Manager>>,
}

/// A program that manages links, and what it was told of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Manager {
    /// `NetworkManager`, with its lists of links that it leaves alone.
    Nm(Vec<String>),
    /// `systemd-networkd`, with its `.network` files in their order.
    Networkd(Vec<NetworkFile>),
    /// `ifupdown`, with the interfaces that it configures.
    Ifupdown(Vec<String>),
}

/// A `.network` file of systemd-networkd, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NetworkFile {
    /// Its name.
    pub(super) file: String,
    /// `Name=` of its `[Match]`; patterns.
    pub(super) names: Vec<String>,
    /// `Type=` or `Kind=` of its `[Match]`.
    pub(super) types: Vec<String>,
    /// Whether the links it matches are left alone.
    pub(super) unmanaged: bool,
}
