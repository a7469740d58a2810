//! One request and its answer at a time over rtnetlink.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::errno::Errno;

/// The kernel changed what it was listing (`NLM_F_DUMP_INTR`): list again.
const DUMP_INTERRUPTED: u16 = 0x10;
/// How often an interrupted listing is begun anew before it is taken as it is.
const DUMPS: u32 = 5;
/// The extended acknowledgement's attribute with the kernel's words (`NLMSGERR_ATTR_MSG`).
const ATTR_MESSAGE: u16 = 1;
/// Octets of the request's header that an acknowledgement repeats.
const HEADER: usize = 16;

/// A request that the kernel refused, or that did not reach it.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The kernel refused.
    #[error("{what}: {errno}{words}", errno = .errno.desc())]
    Refused {
        /// What was asked.
        what: String,
        /// Its reason.
        errno: Errno,
        /// Its words, when it gave some, with `: ` before them.
        words: String,
    },
    /// The exchange broke.
    #[error("{what}: netlink: {source}")]
    Broken {
        /// What was asked.
        what: String,
        /// Why.
        source: io::Error,
    },
}

impl NetlinkError {
    /// The kernel's reason, when it was the kernel that refused.
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { errno, .. } => Some(*errno),
            Self::Broken { .. } => None,
        }
    }
}

/// A socket in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens a socket in the calling thread's network namespace.
    ///
    /// # Errors
    /// [`NetlinkError::Broken`].
    pub fn open() -> Result<Self, NetlinkError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            // Older kernels lack words, not answers.
            socket
                .set_ext_ack(true)
                .or_else(|error| match error.raw_os_error() {
                    Some(code) if code == nix::libc::ENOPROTOOPT => Ok(()),
                    _ => Err(error),
                })?;
            Ok(socket)
        };
        let socket = open().map_err(|source| NetlinkError::Broken {
            what: "open".into(),
            source,
        })?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Asks the kernel to change something and waits until it has.
    pub(crate) fn change(
        &mut self,
        what: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), NetlinkError> {
        self.ask(what, message, NLM_F_REQUEST | NLM_F_ACK | flags)
            .map(drop)
    }

    /// Asks for one object.
    pub(crate) fn get(
        &mut self,
        what: &str,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        self.ask(what, message, NLM_F_REQUEST | NLM_F_ACK)
            .map(|(answers, _)| answers)
    }

    /// Asks for all objects of a kind.
    pub(crate) fn dump(
        &mut self,
        what: &str,
        message: &RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let mut answers = Vec::new();
        for _ in 0..DUMPS {
            let interrupted;
            (answers, interrupted) = self.ask(what, message.clone(), NLM_F_REQUEST | NLM_F_DUMP)?;
            if !interrupted {
                break;
            }
        }
        Ok(answers)
    }

    fn ask(
        &mut self,
        what: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(Vec<RouteNetlinkMessage>, bool), NetlinkError> {
        let broken = |source| NetlinkError::Broken {
            what: what.to_owned(),
            source,
        };
        self.sequence += 1;
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags;
        request.header.sequence_number = self.sequence;
        request.finalize();
        let mut buffer = vec![0; request.buffer_len()];
        request.serialize(&mut buffer);
        self.socket.send(&buffer, 0).map_err(broken)?;
        let mut answers = Vec::new();
        let mut interrupted = false;
        loop {
            let (datagram, _) = self.socket.recv_from_full().map_err(broken)?;
            let mut rest = datagram.as_slice();
            while !rest.is_empty() {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|error| broken(io::Error::other(error.to_string())))?;
                let length = usize::try_from(message.header.length).unwrap_or(rest.len());
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                interrupted |= message.header.flags & DUMP_INTERRUPTED != 0;
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => answers.push(inner),
                    NetlinkPayload::Done(_) => return Ok((answers, interrupted)),
                    NetlinkPayload::Error(error) => match error.code {
                        None => return Ok((answers, interrupted)),
                        Some(code) => {
                            return Err(NetlinkError::Refused {
                                what: what.to_owned(),
                                errno: Errno::from_raw(code.get().saturating_neg()),
                                words: words(&error.header),
                            });
                        }
                    },
                    _ => {}
                }
            }
        }
    }
}

/// The kernel's words in an extended acknowledgement, after the header of the request.
///
/// Without `NETLINK_CAP_ACK` the whole request comes back first; its length stands in its header.
fn words(acknowledged: &[u8]) -> String {
    let length = acknowledged
        .first_chunk::<4>()
        .map_or(0, |bytes| u32::from_ne_bytes(*bytes));
    let length = usize::try_from(length)
        .unwrap_or(HEADER)
        .max(HEADER)
        .next_multiple_of(4);
    let attributes = acknowledged.get(length..).unwrap_or_default();
    let message = NlasIterator::new(attributes)
        .filter_map(Result::ok)
        .find(|attribute| attribute.kind() == ATTR_MESSAGE)
        .map(|attribute| attribute.value().to_vec());
    let text = message.map(|bytes| {
        String::from_utf8_lossy(&bytes)
            .trim_end_matches('\0')
            .to_owned()
    });
    text.map_or_else(String::new, |text| format!(": {text}"))
}
