//! A raw socket at one interface.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::ptr::from_ref;

use berth_types::Family;
use nix::errno::Errno;
use nix::libc::{self, sockaddr_ll};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrLike as _, bind,
    recvmsg, sendmsg, socket, socketpair,
};

use super::ethertype;

/// The largest frame of interest is 86 bytes long; what is longer is of no interest.
const FRAME: usize = 256;

/// A socket that sends any frame out of one interface, and hears what is said there about addresses
/// of one family.
///
/// Belongs to the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Port {
    socket: OwnedFd,
    ethertype: u16,
    /// Goes after the socket, as it is written here: else the socket is closed here after all.
    _keeper: Option<Keeper>,
}

impl Port {
    /// Opens a socket at the interface of that index.
    ///
    /// # Errors
    /// The kernel's; `EPERM` without the privilege.
    pub fn open(ifindex: u32, family: Family) -> nix::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // Without a protocol it hears nothing before it is bound to the interface.
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        let port = Self {
            ethertype: ethertype(family),
            _keeper: Keeper::of(&socket),
            socket,
        };
        bind(port.socket.as_raw_fd(), &at(ifindex, family)?)?;
        Ok(port)
    }

    /// Whether it hears the answers to `frame`.
    pub fn speaks(&self, frame: &[u8]) -> bool {
        frame.get(12..14) == Some(&self.ethertype.to_be_bytes())
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// `ENETDOWN` while the interface is down, `ENOBUFS` while it has no carrier.
    pub fn send(&self, frame: &[u8]) -> nix::Result<()> {
        let parts = [IoSlice::new(frame)];
        let socket = self.socket.as_raw_fd();
        sendmsg::<()>(socket, &parts, &[], MsgFlags::empty(), None).map(drop)
    }

    /// The next frame that has arrived.
    ///
    /// # Errors
    /// The kernel's.
    pub fn receive(&self) -> nix::Result<Option<Vec<u8>>> {
        let mut buffer = [0; FRAME];
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let socket = self.socket.as_raw_fd();
        let length = match recvmsg::<()>(socket, &mut parts, None, MsgFlags::empty()) {
            Ok(message) => message.bytes,
            // Once somebody else has taken the interface down there is nothing more to hear.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENETDOWN) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(buffer.get(..length).map(<[u8]>::to_vec))
    }

    /// Waits until one of them hears something, not longer than that.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait(ports: &[Self], wait_ms: u64) -> nix::Result<()> {
        let sockets = ports.iter().map(|port| &port.socket);
        let mut listening: Vec<_> = sockets
            .map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN))
            .collect();
        let timeout = PollTimeout::try_from(wait_ms).unwrap_or(PollTimeout::MAX);
        match poll(&mut listening, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Has the kernel close a packet socket after its owner has: whoever closes one waits until no
/// processor can be at work on it any more, which takes 5 to 20 ms, longer than the rest of an ADD.
///
/// The socket lies unread in a pair of sockets that holds its own other end too. Once all are closed
/// here, the kernel's collector of such rings closes them, some milliseconds later.
#[derive(Debug)]
struct Keeper {
    _pair: (OwnedFd, OwnedFd),
}

impl Keeper {
    /// `None` where the kernel refuses, so that closing takes its time.
    fn of(socket: &OwnedFd) -> Option<Self> {
        let (family, kind) = (AddressFamily::Unix, SockType::Datagram);
        let pair = socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC).ok()?;
        let (one, other) = &pair;
        let kept = [socket.as_raw_fd(), other.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&kept)];
        let (parts, flags) = ([IoSlice::new(&[0])], MsgFlags::MSG_DONTWAIT);
        sendmsg::<()>(one.as_raw_fd(), &parts, &rights, flags, None).ok()?;
        Some(Self { _pair: pair })
    }
}

/// The place of an interface, for what is said about addresses of that family.
#[expect(
    unsafe_code,
    reason = "nix has no safe constructor of a link-layer address"
)]
fn at(ifindex: u32, family: Family) -> nix::Result<LinkAddr> {
    let length = size_of::<sockaddr_ll>();
    let place = sockaddr_ll {
        sll_family: fits(libc::AF_PACKET)?,
        sll_protocol: ethertype(family).to_be(),
        sll_ifindex: fits(ifindex)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = Some(fits(length)?);
    // SAFETY: the pointer is to a whole sockaddr_ll of the family AF_PACKET, alive for the call,
    // which copies `length` bytes of it.
    let made = unsafe { LinkAddr::from_raw(from_ref(&place).cast(), length) };
    made.ok_or(Errno::EINVAL)
}

/// A number in the field that the kernel has for it.
fn fits<From, To: TryFrom<From>>(number: From) -> nix::Result<To> {
    To::try_from(number).map_err(|_too_large| Errno::EINVAL)
}
