//! What is sent, and what the processors spend on it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::{ADDRESSES, Plan};
use crate::netns::Netns;
use crate::process;

/// What a datagram carries in a frame of 64 bytes: less the headers and the frame's checksum.
const PAYLOAD: usize = 64 - 14 - 20 - 8 - 4;
/// What a segment carries with an MTU of 1,500 bytes and timestamps.
const SEGMENT: f64 = 1448.0;
/// A port that nobody else has in these namespaces.
const PORT: u16 = 9000;

/// A load on the interface, as the container sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Datagrams in frames of 64 bytes leave.
    DatagramsOut,
    /// They arrive.
    DatagramsIn,
    /// TCP leaves as fast as it can.
    BulkOut,
    /// It arrives.
    BulkIn,
}

impl Load {
    pub(super) const ALL: [Self; 4] = [
        Self::DatagramsOut,
        Self::DatagramsIn,
        Self::BulkOut,
        Self::BulkIn,
    ];

    /// What the table calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::DatagramsOut => "64-byte UDP, sent",
            Self::DatagramsIn => "64-byte UDP, received",
            Self::BulkOut => "bulk TCP, sent",
            Self::BulkIn => "bulk TCP, received",
        }
    }

    /// Nanoseconds that the processors spend on one packet, of TCP on one segment of the wire.
    pub(super) fn packet(self, container: &Netns, peer: &Netns, plan: Plan) -> f64 {
        let [inside, outside] = ADDRESSES;
        let ends = [(container, inside), (peer, outside)];
        let [from, to] = match self {
            Self::DatagramsOut | Self::BulkOut => ends,
            Self::DatagramsIn | Self::BulkIn => [ends[1], ends[0]],
        };
        match self {
            Self::DatagramsOut | Self::DatagramsIn => datagrams(from, to, plan.datagrams),
            Self::BulkOut | Self::BulkIn => bulk(from, to, plan.megabytes),
        }
    }
}

/// An end: its namespace, and its address there.
type End<'a> = (&'a Netns, &'static str);

/// Nobody reads them: once the receiver's queue is full, all of them end there.
fn datagrams(from: End<'_>, to: End<'_>, count: u32) -> f64 {
    let bind = |(netns, address): End<'_>| {
        let bound = netns.run(|| UdpSocket::bind((address, PORT)));
        bound.expect("a socket")
    };
    let (sender, _receiver) = (bind(from), bind(to));
    sender.connect((to.1, PORT)).expect("its other end");
    let payload = [7; PAYLOAD];
    keep_to(0);
    let begun = spent();
    for _ in 0..count {
        sender.send(&payload).expect("send");
    }
    let spent = spent().saturating_sub(begun);
    spent.as_secs_f64() * 1e9 / f64::from(count)
}

fn bulk(from: End<'_>, to: End<'_>, megabytes: u32) -> f64 {
    let listener = to.0.run(|| TcpListener::bind((to.1, PORT)));
    let listener = listener.expect("listen");
    let sender = from.0.run(|| TcpStream::connect((to.1, PORT)));
    let mut sender = sender.expect("connect");
    let (mut receiver, _) = listener.accept().expect("a connection");
    let chunk = vec![7; 1 << 20];
    let begun = spent();
    let reading = thread::spawn(move || {
        keep_to(1);
        let mut buffer = vec![0; 1 << 18];
        while receiver.read(&mut buffer).is_ok_and(|read| read > 0) {}
    });
    keep_to(0);
    for _ in 0..megabytes {
        sender.write_all(&chunk).expect("send");
    }
    drop(sender);
    reading.join().expect("read all");
    let spent = spent().saturating_sub(begun);
    let segments = f64::from(megabytes) * f64::from(1 << 20) / SEGMENT;
    spent.as_secs_f64() * 1e9 / segments
}

/// Has the thread run on that processor, where there are so many.
fn keep_to(processor: usize) {
    let mut one = CpuSet::new();
    one.set(processor).expect("a processor");
    sched_setaffinity(Pid::from_raw(0), &one).unwrap_or(());
}

/// What this process and the kernel's threads for packets have had of the processors.
fn spent() -> Duration {
    let own = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("read the clock");
    Duration::from(own) + softirqs()
}

/// Only these few threads end in a number: their processor's.
fn softirqs() -> Duration {
    let processes = fs::read_dir("/proc").expect("read /proc").flatten();
    let threads = processes.filter(|process| {
        let comm = fs::read_to_string(process.path().join("comm"));
        comm.is_ok_and(|comm| comm.starts_with("ksoftirqd/"))
    });
    threads.map(|thread| process::spent(&thread.path())).sum()
}
