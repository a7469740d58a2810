//! The few messages of `nf_tables` that are needed here (`linux/netfilter/nf_tables.h`), and a socket
//! for them. Several changes are one batch: all of it is made, or nothing.

mod message;

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike as _};

use crate::host::NetlinkError;
use message::list_tables;
pub(super) use message::{Batch, Expression, Match};

/// `NLMSG_ERROR`, `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// An attribute's kind without its flags.
const KIND: u16 = 0x3fff;
/// The table's name, which comes first among the attributes of table, chain and rule.
const NAME: u16 = 1;
/// Octets of a message's header, and of `nfgenmsg`.
const HEADER: usize = 16;
const GENERAL: usize = 4;
/// For how long an answer is waited for, in seconds; the kernel answers at once.
const PATIENCE: i64 = 5;

/// A socket in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(super) struct Nft(Socket);

impl Nft {
    /// # Errors
    /// [`NetlinkError::Broken`].
    pub(super) fn open() -> Result<Self, NetlinkError> {
        let open = || -> io::Result<Self> {
            let mut socket = Socket::new(NETLINK_NETFILTER)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            setsockopt(
                &socket,
                sockopt::ReceiveTimeout,
                &TimeVal::seconds(PATIENCE),
            )?;
            Ok(Self(socket))
        };
        open().map_err(|source| broken("open", source))
    }

    /// Makes all changes of the batch, or none.
    ///
    /// # Errors
    /// [`NetlinkError`]: the first refusal.
    pub(super) fn make(&self, what: &str, batch: Batch) -> Result<(), NetlinkError> {
        let (messages, acknowledged) = batch.finish();
        let sent = self.0.send(&messages, 0);
        sent.map_err(|source| broken(what, source))?;
        let mut answered = 0;
        while answered < acknowledged {
            for (kind, body) in self.receive(what)? {
                if kind == ERROR {
                    refused(what, &body)?;
                    answered += 1;
                }
            }
        }
        Ok(())
    }

    /// The names of all tables of family `inet`.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub(super) fn tables(&self) -> Result<Vec<String>, NetlinkError> {
        const WHAT: &str = "list nftables tables";
        let request = list_tables();
        let sent = self.0.send(&request, 0);
        sent.map_err(|source| broken(WHAT, source))?;
        let mut names = Vec::new();
        loop {
            for (kind, body) in self.receive(WHAT)? {
                match kind {
                    DONE => return Ok(names),
                    ERROR => match refused(WHAT, &body) {
                        // A kernel without `nf_tables` has none.
                        Err(error) if is_unknown(&error) => return Ok(names),
                        other => other?,
                    },
                    _ => names.extend(name_in(body.get(GENERAL..).unwrap_or_default())),
                }
            }
        }
    }

    /// One datagram's messages: the kind and what follows the header.
    fn receive(&self, what: &str) -> Result<Vec<(u16, Vec<u8>)>, NetlinkError> {
        let received = self.0.recv_from_full();
        let (datagram, _) = received.map_err(|source| broken(what, source))?;
        Ok(messages_in(&datagram))
    }
}

fn messages_in(mut rest: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    while let [a, b, c, d, e, f, ..] = *rest {
        let length = usize::try_from(u32::from_ne_bytes([a, b, c, d])).unwrap_or(0);
        let Some(body) = rest.get(HEADER..length) else {
            break;
        };
        found.push((u16::from_ne_bytes([e, f]), body.to_vec()));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// The table's name among its attributes.
fn name_in(mut rest: &[u8]) -> Option<String> {
    while let [a, b, c, d, ..] = *rest {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = rest.get(4..length)?;
        if u16::from_ne_bytes([c, d]) & KIND == NAME {
            let name = String::from_utf8_lossy(value);
            return Some(name.trim_end_matches('\0').to_owned());
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn refused(what: &str, body: &[u8]) -> Result<(), NetlinkError> {
    let code = body
        .first_chunk::<4>()
        .map_or(0, |raw| i32::from_ne_bytes(*raw));
    if code == 0 {
        return Ok(());
    }
    Err(NetlinkError::Refused {
        what: what.to_owned(),
        errno: Errno::from_raw(code.saturating_neg()),
        words: String::new(),
    })
}

/// Whether the kernel does not know what it was asked.
fn is_unknown(error: &NetlinkError) -> bool {
    matches!(
        error.errno(),
        Some(Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOENT)
    )
}

fn broken(what: &str, source: io::Error) -> NetlinkError {
    NetlinkError::Broken {
        what: what.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tables_name_is_found_among_its_attributes() {
        let mut batch = Batch::new();
        batch.new_table("berth-0123456789ab");
        let (bytes, acknowledged) = batch.finish();
        let messages = messages_in(&bytes);
        assert_eq!((messages.len(), acknowledged), (3, 1));
        let (_, body) = &messages[1];
        assert_eq!(
            name_in(&body[GENERAL..]).as_deref(),
            Some("berth-0123456789ab")
        );
    }

    #[test]
    fn a_refusal_says_why_and_an_acknowledgement_is_none() {
        assert!(refused("x", &[0; 4]).is_ok());
        let error = refused("x", &(-17_i32).to_ne_bytes()).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EEXIST));
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_read_to_its_end(bytes: Vec<u8>) {
            let bodies = messages_in(&bytes).into_iter().map(|(_, body)| body);
            let length = |body: Vec<u8>| body.len() + name_in(&body).map_or(0, |_| HEADER);
            prop_assert!(bodies.map(length).sum::<usize>() <= bytes.len());
        }
    }
}
