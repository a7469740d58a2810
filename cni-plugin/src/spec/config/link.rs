//! Fields about the interface itself, which a delegated plugin leaves to the main one.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use berth_types::{IfName, VlanId};
use ipnetwork::IpNetwork;
use serde_json::Value;

use super::absolute;
use super::fields::Fields;
use crate::spec::CniError;

/// How the interface is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// What connects it to the LAN.
    pub driver: Driver,
    /// The VLAN it is in; the pool's when absent.
    pub vlan: Option<VlanId>,
    /// The interface's MTU in bytes; the parent's when absent.
    pub mtu: Option<u32>,
    /// Whether neighbours are told of the address at once.
    pub announce: bool,
    /// When the wire is asked whether somebody has the address already.
    pub conflict_check: ConflictCheck,
    /// Whether the gateway has to answer.
    pub gateway_check: bool,
    /// Whether the container makes itself addresses and routes as routers advertise them
    /// (`acceptRa`).
    pub accept_ra: bool,
    /// Whether node and container reach each other, and how; absent when they need not.
    pub host_access: Option<HostAccess>,
}

/// `driver`: what connects the interface to the LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    /// A macvlan on an interface of the node.
    Macvlan(MacvlanConfig),
    /// A port of an Open vSwitch bridge.
    Ovs(OvsConfig),
}

/// Fields of the driver `macvlan`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacvlanConfig {
    /// Candidates for the parent interface; the first that exists is used.
    pub master: Vec<IfName>,
    /// How the children of one parent see each other.
    pub mode: Mode,
}

/// Fields of the driver `ovs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OvsConfig {
    /// The bridge.
    pub bridge: IfName,
    /// The unix socket of its database (`ovsdb`).
    pub socket: PathBuf,
}

/// `mode` of a macvlan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Children reach each other through the parent.
    Bridge,
    /// Children never reach each other.
    Private,
    /// Children reach each other through the switch, if it reflects.
    Vepa,
    /// One child has the parent for itself, with its hardware address.
    Passthru,
}

/// `conflictCheck`: when the wire is asked whether somebody has the address already. For an
/// address that was taken from a holder that was not heard it always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictCheck {
    /// Never otherwise.
    Off,
    /// When a fixed address changes hands.
    Takeover,
    /// On every ADD.
    Always,
}

/// `hostAccess`: node and container reach each other past the LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAccess {
    /// What the container reaches by way of the node, and under the node's address
    /// (`serviceCidrs`).
    pub service_cidrs: Vec<IpNetwork>,
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(raw: &str) -> Result<Self, ()> {
        match raw {
            "bridge" => Ok(Self::Bridge),
            "private" => Ok(Self::Private),
            "vepa" => Ok(Self::Vepa),
            "passthru" => Ok(Self::Passthru),
            _ => Err(()),
        }
    }
}

impl FromStr for ConflictCheck {
    type Err = ();

    fn from_str(raw: &str) -> Result<Self, ()> {
        match raw {
            "off" => Ok(Self::Off),
            "takeover" => Ok(Self::Takeover),
            "always" => Ok(Self::Always),
            _ => Err(()),
        }
    }
}

impl LinkConfig {
    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, CniError> {
        let conflict_check =
            fields.parsed("conflictCheck", "use off, takeover or always", |raw| {
                raw.parse().ok()
            })?;
        Ok(Self {
            driver: Driver::parse(fields)?,
            vlan: vlan(fields)?,
            mtu: fields.mtu()?,
            announce: fields.flag("announce")?.unwrap_or(true),
            conflict_check: conflict_check.unwrap_or(ConflictCheck::Takeover),
            gateway_check: fields.flag("gatewayCheck")?.unwrap_or(false),
            accept_ra: fields.flag("acceptRa")?.unwrap_or(false),
            host_access: host_access(fields)?,
        })
    }
}

impl Driver {
    /// Whether the interface has the hardware address of the link it stands on.
    pub const fn keeps_parents_mac(&self) -> bool {
        matches!(self, Self::Macvlan(macvlan) if matches!(macvlan.mode, Mode::Passthru))
    }

    fn parse(fields: &Fields<'_>) -> Result<Self, CniError> {
        match fields.text("driver")?.unwrap_or("macvlan") {
            "macvlan" => {
                let remedy = "use bridge, private, vepa or passthru";
                let mode = fields.parsed("mode", remedy, |raw| raw.parse().ok())?;
                Ok(Self::Macvlan(MacvlanConfig {
                    master: masters(fields)?,
                    mode: mode.unwrap_or(Mode::Bridge),
                }))
            }
            "ovs" => {
                let socket = fields.parsed("ovsdb", "give an absolute path", absolute)?;
                Ok(Self::Ovs(OvsConfig {
                    bridge: fields.required("bridge", "name the Open vSwitch bridge")?,
                    socket: socket.unwrap_or_else(|| PathBuf::from(OVSDB)),
                }))
            }
            _ => Err(fields.wrong("driver", "use macvlan or ovs")),
        }
    }
}

/// Where Open vSwitch has its database's socket by default.
const OVSDB: &str = "/run/openvswitch/db.sock";

/// A number; `false` is as good as none.
fn vlan(fields: &Fields<'_>) -> Result<Option<VlanId>, CniError> {
    match fields.present("vlan") {
        None | Some(Value::Bool(false)) => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|raw| u16::try_from(raw).ok());
            let vlan = number.and_then(|raw| VlanId::try_from(raw).ok());
            let wrong = || fields.wrong("vlan", "use 1 to 4094, or leave it out");
            vlan.map(Some).ok_or_else(wrong)
        }
    }
}

/// Most entries of `serviceCidrs`. A cluster has one of each family; the table's rules have to fit
/// one message to the kernel.
const SERVICES: usize = 64;

fn host_access(fields: &Fields<'_>) -> Result<Option<HostAccess>, CniError> {
    let remedy = r#"write a list of subnets: ["10.96.0.0/12"]"#;
    let service_cidrs: Vec<IpNetwork> = fields.section("serviceCidrs", remedy)?.unwrap_or_default();
    let count = service_cidrs.len();
    if count > SERVICES {
        let remedy = format!("name at most {SERVICES}: the subnets that services are in");
        let shown = format_args!("{count} subnets");
        return Err(CniError::field("serviceCidrs", shown, &remedy));
    }
    if let Some((cidr, remedy)) = service_cidrs.iter().find_map(unfit) {
        return Err(CniError::field("serviceCidrs", cidr, remedy));
    }
    let wanted = fields.flag("hostAccess")?.unwrap_or(false);
    if !wanted && !service_cidrs.is_empty() {
        return Err(fields.wrong("serviceCidrs", "add \"hostAccess\": true, or remove it"));
    }
    Ok(wanted.then_some(HostAccess { service_cidrs }))
}

/// What is to be done about a subnet that no services can be in.
fn unfit(cidr: &IpNetwork) -> Option<(&IpNetwork, &'static str)> {
    let address = cidr.ip();
    let link_local = match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
    };
    let remedy = if cidr.prefix() == 0 {
        "name the services' own subnet: everything is not reached by way of the node"
    } else if address != cidr.network() {
        "write the subnet without host bits"
    } else if link_local || address.is_loopback() || address.is_multicast() {
        "name the services' own subnet: these addresses never leave the container or its link"
    } else {
        return None;
    };
    Some((cidr, remedy))
}

fn masters(fields: &Fields<'_>) -> Result<Vec<IfName>, CniError> {
    let wrong = || {
        let remedy = "name the node's interface on the LAN, or a list of which the first that exists is used";
        CniError::field("master", fields.shown("master"), remedy)
    };
    let names = match fields.object.get("master") {
        Some(Value::String(one)) => vec![Some(one.as_str())],
        Some(Value::Array(several)) => several.iter().map(Value::as_str).collect(),
        _ => return Err(wrong()),
    };
    let parsed = names
        .into_iter()
        .map(|name| name.and_then(|name| name.parse().ok()));
    let parsed: Vec<IfName> = parsed.collect::<Option<_>>().ok_or_else(wrong)?;
    if parsed.is_empty() {
        Err(wrong())
    } else {
        Ok(parsed)
    }
}
