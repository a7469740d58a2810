//! Listening for ARP on the test network.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, socket,
};

use crate::netns::Netns;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// One ARP frame as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArpFrame {
    /// Ethernet destination: all ones for a broadcast.
    pub destination: Mac,
    /// Ethernet source.
    pub source: Mac,
    /// 1 asks, 2 answers.
    pub operation: u16,
    /// Who says it.
    pub sender_mac: Mac,
    /// The address the sender says is its own; 0.0.0.0 in a probe.
    pub sender_ip: Ipv4Addr,
    /// Whom it is for; meaningless in a question.
    pub target_mac: Mac,
    /// The address it is about.
    pub target_ip: Ipv4Addr,
}

impl ArpFrame {
    /// Reads an Ethernet frame; `None` unless it is a whole ARP frame about IPv4.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let (destination, rest) = frame.split_first_chunk::<6>()?;
        let (source, rest) = rest.split_first_chunk::<6>()?;
        // EtherType ARP; hardware Ethernet, protocol IPv4, addresses of 6 and 4 bytes.
        let rest = rest.strip_prefix(&[0x08, 0x06, 0, 1, 0x08, 0, 6, 4])?;
        let (operation, rest) = rest.split_first_chunk::<2>()?;
        let (sender_mac, rest) = rest.split_first_chunk::<6>()?;
        let (sender_ip, rest) = rest.split_first_chunk::<4>()?;
        let (target_mac, rest) = rest.split_first_chunk::<6>()?;
        let (target_ip, _padding) = rest.split_first_chunk::<4>()?;
        Some(Self {
            destination: *destination,
            source: *source,
            operation: u16::from_be_bytes(*operation),
            sender_mac: *sender_mac,
            sender_ip: Ipv4Addr::from(*sender_ip),
            target_mac: *target_mac,
            target_ip: Ipv4Addr::from(*target_ip),
        })
    }

    /// Whether it announces `address` to everybody (RFC 5944 §4.6: sender and target the same).
    pub fn announces(&self, address: Ipv4Addr) -> bool {
        self.destination == [0xff; 6] && self.sender_ip == address && self.target_ip == address
    }

    /// Whether it asks if anybody holds `address` without claiming it (RFC 5227 §1.1).
    pub fn probes(&self, address: Ipv4Addr) -> bool {
        self.operation == 1 && self.sender_ip.is_unspecified() && self.target_ip == address
    }
}

/// A recording of the ARP frames that pass one interface, from the moment it is made.
#[derive(Debug)]
pub struct ArpCapture {
    socket: OwnedFd,
    ifindex: usize,
    seen: Vec<ArpFrame>,
}

impl ArpCapture {
    /// Starts to record at `ifname` in `namespace`, frames sent by the interface itself included.
    ///
    /// # Panics
    /// Without such an interface, or without the privilege.
    pub fn start(namespace: &Netns, ifname: &str) -> Self {
        // The socket belongs to the namespace it was made in, whoever reads it.
        let (socket, ifindex) = namespace.run(|| {
            let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
            let all = SockProtocol::EthAll;
            let socket = socket(AddressFamily::Packet, SockType::Raw, flags, all)
                .expect("open a packet socket (run as root)");
            (
                socket,
                if_nametoindex(ifname).expect("the interface to listen at exists"),
            )
        });
        let ifindex = usize::try_from(ifindex).expect("an interface index fits in a usize");
        Self {
            socket,
            ifindex,
            seen: Vec::new(),
        }
    }

    /// Every ARP frame seen so far, oldest first.
    ///
    /// # Panics
    /// When the kernel refuses to hand over what it recorded.
    pub fn frames(&mut self) -> &[ArpFrame] {
        // Room for the largest frame of a 1500-byte network; ARP needs 42 to 60.
        let mut buffer = [0; 2048];
        loop {
            match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer) {
                Ok((length, from)) => {
                    let here = from.is_some_and(|from| from.ifindex() == self.ifindex);
                    let frame = buffer.get(..length).filter(|_| here);
                    self.seen.extend(frame.and_then(ArpFrame::parse));
                }
                Err(Errno::EAGAIN) => return &self.seen,
                Err(Errno::EINTR) => {}
                Err(error) => panic!("read the ARP capture: {error}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gratuitous ARP request for 10.20.1.7 by 0a:58:0a:14:01:07.
    const ANNOUNCEMENT: &[u8] = &[
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0a, 0x58, 0x0a, 0x14, 0x01, 0x07, 0x08, 0x06, 0, 1,
        0x08, 0, 6, 4, 0, 1, 0x0a, 0x58, 0x0a, 0x14, 0x01, 0x07, 10, 20, 1, 7, 0, 0, 0, 0, 0, 0,
        10, 20, 1, 7,
    ];

    #[test]
    fn an_announcement_is_told_from_a_probe_and_from_a_question() {
        let address = Ipv4Addr::new(10, 20, 1, 7);
        let announcement = ArpFrame::parse(ANNOUNCEMENT).unwrap();
        assert!(announcement.announces(address) && !announcement.probes(address));

        let probe = ArpFrame {
            sender_ip: Ipv4Addr::UNSPECIFIED,
            ..announcement.clone()
        };
        assert!(probe.probes(address) && !probe.announces(address));

        let question = ArpFrame {
            sender_ip: Ipv4Addr::new(10, 20, 1, 1),
            ..announcement
        };
        assert!(!question.announces(address) && !question.probes(address));
    }

    #[test]
    fn anything_but_a_whole_arp_frame_is_nothing() {
        for length in 0..ANNOUNCEMENT.len() {
            assert_eq!(
                ArpFrame::parse(&ANNOUNCEMENT[..length]),
                None,
                "{length} bytes"
            );
        }
        let mut ipv4 = ANNOUNCEMENT.to_vec();
        ipv4[13] = 0;
        assert_eq!(ArpFrame::parse(&ipv4), None);
    }
}
