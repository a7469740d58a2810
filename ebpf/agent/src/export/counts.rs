//! The numbers of one row, in an order of their own: so that rows can be added and compared.

use berth_ebpf_common::{Count, Totals};

use crate::model::{Container, Interface};

/// How many numbers an interface has.
pub(crate) const OF_INTERFACE: usize = 24;
/// Where its bytes and packets begin, received and then sent, by scope.
pub(crate) const BYTES: [usize; 2] = [0, 8];
/// Where its packets begin.
pub(crate) const PACKETS: [usize; 2] = [4, 12];
/// Dropped by the device, received and sent.
pub(crate) const DROPPED: [usize; 2] = [16, 17];
/// Segments sent again.
pub(crate) const RETRANSMITS: usize = 18;
/// Segments with RST, received and sent.
pub(crate) const RESETS: [usize; 2] = [19, 20];
/// Connections by the pod, failed ones, and those to it.
pub(crate) const CONNECTS: [(usize, &str); 3] = [(21, "opened"), (22, "failed"), (23, "accepted")];

/// How many numbers a container has: bytes and packets received and sent, and the bytes of its
/// loopback interface, received and sent.
pub(crate) const OF_CONTAINER: usize = 6;

/// How many numbers a workload has: bytes received and sent, by scope.
pub(crate) const OF_WORKLOAD: usize = 8;

/// The numbers of an interface.
pub(crate) fn of_interface(interface: &Interface) -> [u64; OF_INTERFACE] {
    let mut numbers = of_totals(&interface.totals);
    let device = interface.device.unwrap_or_default();
    let dropped = [device.receive.dropped, device.transmit.dropped];
    for (at, dropped) in DROPPED.into_iter().zip(dropped) {
        if let Some(number) = numbers.get_mut(at) {
            *number = dropped;
        }
    }
    numbers
}

/// The same of totals alone.
pub(crate) fn of_totals(totals: &Totals) -> [u64; OF_INTERFACE] {
    let Totals {
        receive,
        transmit,
        resets,
        tcp,
        ..
    } = totals;
    let mut numbers = [0; OF_INTERFACE];
    let scopes = bytes(receive).into_iter().chain(packets(receive));
    let scopes = scopes.chain(bytes(transmit)).chain(packets(transmit));
    let rest = [
        0,
        0,
        tcp.retransmits,
        resets[0],
        resets[1],
        tcp.connected,
        tcp.failed,
        tcp.accepted,
    ];
    for (place, number) in numbers.iter_mut().zip(scopes.chain(rest)) {
        *place = number;
    }
    numbers
}

/// The numbers of a container.
pub(crate) fn of_container(container: &Container) -> [u64; OF_CONTAINER] {
    let counts = &container.counts;
    [
        counts.receive.bytes,
        counts.transmit.bytes,
        counts.receive.packets,
        counts.transmit.packets,
        counts.loopback_receive.bytes,
        counts.loopback_transmit.bytes,
    ]
}

/// The numbers of a workload.
pub(crate) fn of_workload(totals: &Totals) -> [u64; OF_WORKLOAD] {
    let [a, b, c, d] = bytes(&totals.receive);
    let [e, f, g, h] = bytes(&totals.transmit);
    [a, b, c, d, e, f, g, h]
}

/// Adds number by number.
pub(crate) fn add<const N: usize>(sum: &mut [u64; N], more: &[u64; N]) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum = sum.saturating_add(*more);
    }
}

fn bytes(counts: &[Count; 4]) -> [u64; 4] {
    counts.map(|count| count.bytes)
}

fn packets(counts: &[Count; 4]) -> [u64; 4] {
    counts.map(|count| count.packets)
}
