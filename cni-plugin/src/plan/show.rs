//! Steps in words, one line each.

use std::fmt::{self, Display};

use super::{NewLink, NodeStep, Port, Step};
use crate::bandwidth::Shaping;
use crate::host::{Bucket, Macvlan, Veth};
use crate::host_access::Access;
use crate::spec::Mode;

impl Display for NodeStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UseVlan(link) => write!(f, "use VLAN sub-interface {}", link.name),
            Self::SettleVlan(link, mtu) => write!(
                f,
                "bring VLAN sub-interface {} up with an MTU of {mtu} bytes",
                link.name
            ),
            Self::MakeVlan { parent, vlan, name } => {
                write!(
                    f,
                    "make VLAN sub-interface {name} of {parent} for VLAN {vlan}"
                )
            }
            Self::MakeLink { parent, link } => match link {
                NewLink::Macvlan(Macvlan {
                    name,
                    mode,
                    mtu,
                    parent: _,
                    mac: _,
                }) => {
                    let mode = match mode {
                        Mode::Bridge => "bridge",
                        Mode::Private => "private",
                        Mode::Vepa => "vepa",
                        Mode::Passthru => "passthru",
                    };
                    write!(
                        f,
                        "make macvlan {name} on {parent} in mode {mode} with an MTU of {mtu} bytes"
                    )
                }
                NewLink::Veth(Veth {
                    host,
                    name,
                    mtu,
                    mac: _,
                    host_mac: _,
                }) => {
                    write!(
                        f,
                        "make veth {name} with {host} on the node and an MTU of {mtu} bytes"
                    )
                }
            },
        }
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IgnoreRouters => f.write_str("take nothing from routers' advertisements"),
            Self::EnableIpv6 => f.write_str("allow IPv6"),
            Self::Probe(addresses) => {
                write!(f, "ask the LAN whether anybody has {}", list(addresses))
            }
            Self::Prepare { mac: Some(mac) } => write!(f, "set hardware address {mac}"),
            Self::Prepare { mac: None } => f.write_str("keep the parent's hardware address"),
            Self::AddPort(Port {
                place,
                mac: _,
                vlan,
            }) => {
                write!(f, "add port {} to bridge {}", place.name, place.bridge)?;
                vlan.map_or(Ok(()), |vlan| write!(f, " in VLAN {vlan}"))
            }
            Self::AwaitPort(place) => write!(
                f,
                "wait until bridge {} switches port {}",
                place.bridge, place.name
            ),
            Self::Address(address) => write!(f, "set address {address}"),
            Self::Up => f.write_str("bring it up"),
            Self::Route {
                destination,
                gateway,
            } => write!(f, "set route {destination} by {gateway}"),
            Self::FindGateways(gateways) => {
                let gateways: Vec<_> = gateways.iter().map(|(_, gateway)| gateway).collect();
                write!(f, "wait for an answer of {}", list(&gateways))
            }
            Self::Announce(addresses) => write!(f, "announce {}", list(addresses)),
            Self::GiveAccess(Access {
                ends,
                to_container,
                to_node,
                table,
                mtu: _,
                macs: _,
            }) => {
                let to: Vec<_> = to_container.iter().collect();
                let ways: Vec<_> = to_node.iter().map(|way| way.destination).collect();
                let (inside, node) = (&ends.inside, &ends.node);
                write!(
                    f,
                    "make {inside} with {node} on the node, which leads there to {}",
                    list(&to)
                )?;
                write!(f, ", and to the node to {}", list(&ways))?;
                let masquerades = table.is_some();
                f.write_str(if masquerades {
                    "; services are reached under the node's address"
                } else {
                    ""
                })
            }
            Self::Limit(Shaping {
                ingress,
                egress,
                mtu: _,
            }) => {
                let arrives = ingress.as_ref().map(|(_, bucket)| bucket);
                let directions = [("what arrives", arrives), ("what leaves", egress.as_ref())];
                let limited = directions.into_iter().filter_map(|(what, bucket)| {
                    let Bucket { rate, .. } = bucket?;
                    Some(format!("{what} to {rate} bytes a second"))
                });
                write!(f, "limit {}", limited.collect::<Vec<_>>().join(" and "))
            }
        }
    }
}

fn list(several: &[impl Display]) -> String {
    let several: Vec<_> = several.iter().map(ToString::to_string).collect();
    several.join(" and ")
}
