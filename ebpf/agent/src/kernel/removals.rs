//! Hears of qdiscs and filters that somebody removes.

use std::collections::BTreeSet;
use std::io;

use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use nix::libc;

/// `RTNLGRP_TC` of linux/rtnetlink.h.
const GROUP: u32 = 4;
/// `RTM_DELQDISC` and `RTM_DELTFILTER`.
const REMOVED: [u16; 2] = [37, 45];
/// More than the kernel puts into one datagram.
const LONGEST: usize = 1 << 16;

/// Interfaces of which something was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// These, by their indices.
    Of(BTreeSet<u32>),
    /// Any: there was more than the kernel kept.
    Any,
}

impl Removed {
    /// Whether something may have been removed of the interface `ifindex`.
    pub fn is_of(&self, ifindex: u32) -> bool {
        match self {
            Self::Of(known) => known.contains(&ifindex),
            Self::Any => true,
        }
    }

    /// Whether nothing was removed.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Of(known) if known.is_empty())
    }
}

/// Hears of one network namespace: that of the thread that made it.
#[derive(Debug)]
pub struct Removals {
    socket: Socket,
}

impl Removals {
    /// Listens from now on.
    ///
    /// # Errors
    /// The kernel's.
    pub fn listen() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.add_membership(GROUP)?;
        Ok(Self { socket })
    }

    /// What was removed since it was asked last. Never waits.
    pub fn heard(&self) -> Removed {
        let mut all = BTreeSet::new();
        loop {
            let mut datagram = Vec::with_capacity(LONGEST);
            match self.socket.recv_from(&mut datagram, libc::MSG_DONTWAIT) {
                Ok(_) => all.extend(removed(&datagram)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Removed::Of(all),
                Err(_) => return Removed::Any,
            }
        }
    }
}

/// The interfaces of the messages of one datagram: of each, its length, type and, behind a header of
/// 16 bytes, `struct tcmsg` with the index at its fourth byte.
fn removed(datagram: &[u8]) -> BTreeSet<u32> {
    let mut rest = datagram;
    let mut found = BTreeSet::new();
    while let (Some(length), Some(kind)) = (word(rest, 0), half(rest, 4)) {
        let index = word(rest, 20).filter(|_| REMOVED.contains(&kind));
        found.extend(index);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let next = length.max(16).checked_next_multiple_of(4);
        rest = next.and_then(|at| rest.get(at..)).unwrap_or_default();
    }
    found
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    bytes.try_into().ok().map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, ifindex: u32, more: usize) -> Vec<u8> {
        let length = u32::try_from(36 + more).unwrap();
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0; 14]);
        message.extend(ifindex.to_ne_bytes());
        message.extend(vec![0xff; 12 + more.next_multiple_of(4)]);
        message
    }

    #[test]
    fn only_what_is_removed_is_heard_of() {
        let cases = [
            ("a filter", message(45, 7, 0), vec![7]),
            ("a qdisc with attributes", message(37, 8, 13), vec![8]),
            ("a new filter", message(44, 7, 0), vec![]),
            (
                "several",
                [message(45, 7, 1), message(36, 5, 3), message(37, 9, 0)].concat(),
                vec![7, 9],
            ),
            ("nothing", vec![], vec![]),
            ("too short", message(45, 7, 0)[..22].to_vec(), vec![]),
            ("a length of nothing", vec![0; 64], vec![]),
            ("a length beyond all", vec![0xff; 64], vec![]),
        ];
        for (case, datagram, expected) in cases {
            let expected = BTreeSet::from_iter(expected);
            assert_eq!(removed(&datagram), expected, "case: {case}");
        }
    }
}
