//! Traffic of every kind between the container and its peer, bounded in what is on its way at once.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::thread;
use std::time::Duration;

use e2e::debian;
use e2e::netns::Netns;
use e2e::process;
use e2e::wait::until;
use nix::sys::socket::sockopt::{RcvBuf, UdpGsoSegment};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvfrom, sendto,
    setsockopt, socket,
};

use super::ground::{ETH, Family, Ground};
use e2e::lan::UPLINK;

/// Fewer packets than any queue on the way has room for.
const WINDOW: usize = 96 * 1024;

/// How long a side waits for the other.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Container,
    Peer,
}

impl From {
    pub(crate) const BOTH: [Self; 2] = [Self::Container, Self::Peer];
}

/// A side's namespace and address, and the other's.
fn sides(ground: &Ground, from: From, family: Family) -> [(&Netns, IpAddr); 2] {
    let container = (&ground.container, family.own());
    let peer = (ground.peer.netns(), family.peer());
    match from {
        From::Container => [container, peer],
        From::Peer => [peer, container],
    }
}

/// As many bytes by TCP, acknowledged by a byte at the end.
pub(crate) fn bulk(ground: &Ground, from: From, family: Family, bytes: usize) {
    through(ground, from, family, WINDOW, &|mut stream, server| {
        let mut buffer = vec![7; 64 * 1024];
        let mut left = bytes;
        while left > 0 {
            let part = buffer.len().min(left);
            if server {
                stream.read_exact(&mut buffer[..part]).expect("read");
            } else {
                stream.write_all(&buffer[..part]).expect("write");
            }
            left -= part;
        }
        let mut last = [0];
        if server {
            stream.write_all(&last).expect("write");
        } else {
            stream.read_exact(&mut last).expect("read");
        }
    });
}

/// Questions and answers of a few bytes by TCP.
pub(crate) fn small(ground: &Ground, from: From, family: Family, count: usize) {
    through(ground, from, family, WINDOW, &|mut stream, server| {
        stream.set_nodelay(true).expect("no delay");
        let mut word = [0; 31];
        for _ in 0..count {
            if !server {
                stream.write_all(&word).expect("write");
            }
            stream.read_exact(&mut word).expect("read");
            if server {
                stream.write_all(&word).expect("write");
            }
        }
    });
}

/// A connection of which either side does its part.
pub(crate) fn through(
    ground: &Ground,
    from: From,
    family: Family,
    window: usize,
    body: &(dyn Fn(TcpStream, bool) + Sync),
) {
    let [client, server] = sides(ground, from, family);
    let listener = server
        .0
        .run(|| TcpListener::bind((server.1, 0)).expect("listen"));
    setsockopt(&listener, RcvBuf, &window).expect("set the window");
    // So that it ends when the other side does not come.
    listener.set_nonblocking(true).expect("do not wait");
    let to = listener.local_addr().expect("its address");
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut accepted = None;
            until(PATIENCE, "somebody connects", || {
                accepted = listener.accept().ok();
                accepted.is_some()
            });
            let (stream, _) = accepted.expect("a connection");
            stream
                .set_nonblocking(false)
                .expect("wait for what is read");
            stream
                .set_read_timeout(Some(PATIENCE))
                .expect("set a timeout");
            body(stream, true);
        });
        let stream = client
            .0
            .run(|| TcpStream::connect_timeout(&to, PATIENCE))
            .expect("connect");
        setsockopt(&stream, RcvBuf, &window).expect("set the window");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("set a timeout");
        body(stream, false);
    });
}

/// Datagrams of these sizes, each answered by one as large.
pub(crate) fn datagrams(ground: &Ground, from: From, family: Family, sizes: &[usize]) {
    let (client, server, to) = sockets(ground, from, family);
    let mut buffer = vec![0; 65_536];
    for size in sizes {
        client.send_to(&vec![7; *size], to).expect("send");
        let (_, back) = server.recv_from(&mut buffer).expect("receive");
        server.send_to(&vec![8; *size], back).expect("answer");
        client.recv_from(&mut buffer).expect("receive the answer");
    }
}

/// Datagrams that are sent as one, and segmented on their way (`UDP_SEGMENT`).
pub(crate) fn segmented(ground: &Ground, from: From, family: Family, rounds: usize) {
    const SEGMENT: usize = 1200;
    const PAYLOAD: usize = 20 * SEGMENT + 77;
    let (client, server, to) = sockets(ground, from, family);
    let size = i32::try_from(SEGMENT).expect("a small number");
    setsockopt(&client, UdpGsoSegment, &size).expect("segment");
    let mut buffer = vec![0; 65_536];
    for _ in 0..rounds {
        client.send_to(&vec![7; PAYLOAD], to).expect("send");
        let mut left = PAYLOAD;
        while left > 0 {
            let (bytes, back) = server.recv_from(&mut buffer).expect("receive");
            left -= bytes;
            if left == 0 {
                server.send_to(&[1], back).expect("answer");
            }
        }
        client.recv_from(&mut buffer).expect("receive the answer");
    }
}

fn sockets(ground: &Ground, from: From, family: Family) -> (UdpSocket, UdpSocket, SocketAddr) {
    let [client, server] = sides(ground, from, family).map(|(netns, address)| {
        let socket = netns.run(|| UdpSocket::bind((address, 0)).expect("a socket"));
        socket
            .set_read_timeout(Some(PATIENCE))
            .expect("set a timeout");
        socket
    });
    let to = server.local_addr().expect("its address");
    (client, server, to)
}

/// As many pings as are answered at once, each way.
pub(crate) fn pings(ground: &Ground, from: From, family: Family, count: usize) {
    let [(netns, _), (_, to)] = sides(ground, from, family);
    let mut command = netns.command(debian::require("ping", "iputils-ping"));
    command.args([
        "-f",
        "-q",
        "-W",
        "5",
        "-c",
        &count.to_string(),
        &to.to_string(),
    ]);
    process::output(&mut command);
}

/// Forgets where the other end is, so that it is asked for.
pub(crate) fn questions(ground: &Ground) {
    for (netns, name) in [(&ground.container, ETH), (ground.peer.netns(), UPLINK)] {
        netns.ip(&["neigh", "flush", "dev", name]);
        for family in Family::ALL {
            let from = if name == ETH {
                From::Container
            } else {
                From::Peer
            };
            pings(ground, from, family, 1);
        }
    }
}

/// Frames with tags in them, each way, to everybody: an unknown protocol and IPv4.
pub(crate) fn tagged(ground: &Ground, count: usize) {
    for (netns, from) in [
        (&ground.container, From::Container),
        (ground.peer.netns(), From::Peer),
    ] {
        let socket = netns.run(|| {
            let flags = SockFlag::SOCK_CLOEXEC;
            socket(
                AddressFamily::Packet,
                SockType::Raw,
                flags,
                SockProtocol::EthAll,
            )
            .expect("open a packet socket (run as root)")
        });
        pings(ground, from, Family::V4, 1);
        // Where a frame has come by is where the next can go.
        let mut buffer = [0; 2048];
        let (_, by) = recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut buffer).expect("a frame");
        let by = by.expect("where it came by");
        for at in 0..count {
            let tags: &[u8] = match at % 2 {
                0 => &[0x81, 0, 0, 5],
                _ => &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6],
            };
            let head = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 9], tags, &[8, 0, 0x45]].concat();
            let frame = [&head[..], &vec![0; 60 + at * 11]].concat();
            sendto(socket.as_raw_fd(), &frame, &by, MsgFlags::empty()).expect("send a frame");
        }
    }
}
