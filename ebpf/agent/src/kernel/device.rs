//! What the kernel itself counts of a device, by netlink.

use std::io;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage, Stats64};

use berth_ebpf_common::Count;

use super::netlink;
use crate::model::{DeviceCounts, DeviceDirection};

/// A device of the thread's network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its index.
    pub ifindex: u32,
    /// Its name, which may have been changed.
    pub name: String,
    /// Its hardware address.
    pub mac: Vec<u8>,
    /// Its counters, as the device itself sees them.
    pub counts: DeviceCounts,
}

/// How a device is looked for.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// By its index.
    Index(u32),
    /// By its name.
    Name(&'a str),
}

/// Looks up a device of the thread's network namespace; `None` when there is none.
///
/// # Errors
/// Netlink's.
pub fn find(which: Which<'_>) -> io::Result<Option<Device>> {
    let mut link = LinkMessage::default();
    match which {
        Which::Index(index) => link.header.index = index,
        Which::Name(name) => link.attributes.push(LinkAttribute::IfName(name.to_owned())),
    }
    match netlink::ask(RouteNetlinkMessage::GetLink(link), 0) {
        Ok(answers) => Ok(answers.into_iter().find_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(link) => Some(device(link)),
            _ => None,
        })),
        Err(error) if error.raw_os_error() == Some(nix::libc::ENODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

fn device(link: LinkMessage) -> Device {
    let mut found = Device {
        ifindex: link.header.index,
        name: String::new(),
        mac: Vec::new(),
        counts: DeviceCounts::default(),
    };
    for attribute in link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => found.name = name,
            LinkAttribute::Address(mac) => found.mac = mac,
            LinkAttribute::Stats64(stats) => found.counts = counts(&stats),
            _ => {}
        }
    }
    found
}

fn counts(stats: &Stats64) -> DeviceCounts {
    DeviceCounts {
        receive: DeviceDirection {
            count: Count {
                bytes: stats.rx_bytes,
                packets: stats.rx_packets,
            },
            dropped: stats.rx_dropped,
            errors: stats.rx_errors,
        },
        transmit: DeviceDirection {
            count: Count {
                bytes: stats.tx_bytes,
                packets: stats.tx_packets,
            },
            dropped: stats.tx_dropped,
            errors: stats.tx_errors,
        },
    }
}

impl DeviceCounts {
    /// The same as the other end of a pair sees it.
    #[must_use]
    pub const fn swapped(self) -> Self {
        let Self { receive, transmit } = self;
        Self {
            receive: transmit,
            transmit: receive,
        }
    }
}
