//! Sums of counters, which wrap as the kernel's do.

use berth_ebpf_common::{
    Count, DetailValue, Direction, Family, Protocol, Scope, SlotValue, TcpValue, Totals,
};

/// What the programs have counted into one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// As on the wire.
    pub totals: Totals,
    /// By how much that is more than the device's own counters, receive and transmit.
    pub surplus: [Count; 2],
    /// Packets whose size was estimated.
    pub estimated: u64,
}

impl Counted {
    /// Adds one shard.
    pub fn add_slot(&mut self, shard: &SlotValue) {
        let SlotValue { receive, transmit } = shard;
        let [received, sent] = &mut self.surplus;
        let Totals {
            receive: to_receive,
            transmit: to_transmit,
            resets: [received_resets, sent_resets],
            ..
        } = &mut self.totals;
        add_direction(to_receive, received, received_resets, receive);
        add_direction(to_transmit, sent, sent_resets, transmit);
        add(&mut self.estimated, receive.estimated);
        add(&mut self.estimated, transmit.estimated);
    }

    /// Adds one shard of the details.
    pub fn add_detail(&mut self, shard: &DetailValue) {
        let DetailValue {
            receive,
            transmit,
            reserved: _,
        } = shard;
        add_counts(
            self.totals.receive_detail.as_flattened_mut(),
            receive.as_flattened(),
        );
        add_counts(
            self.totals.transmit_detail.as_flattened_mut(),
            transmit.as_flattened(),
        );
    }

    /// What the device must have counted meanwhile, receive and transmit.
    pub fn by_device(&self) -> [Count; 2] {
        let [received, sent] = self.surplus;
        [
            minus(sum(&self.totals.receive), received),
            minus(sum(&self.totals.transmit), sent),
        ]
    }
}

/// All scopes of one direction.
pub fn sum(scopes: &[Count; 4]) -> Count {
    let mut all = Count::default();
    for scope in scopes {
        add_count(&mut all, *scope);
    }
    all
}

/// Adds `more` to `to`, field by field.
pub fn add_totals(to: &mut Totals, more: &Totals) {
    let Totals {
        receive,
        transmit,
        receive_detail,
        transmit_detail,
        resets,
        tcp,
    } = more;
    add_counts(&mut to.receive, receive);
    add_counts(&mut to.transmit, transmit);
    add_counts(
        to.receive_detail.as_flattened_mut(),
        receive_detail.as_flattened(),
    );
    add_counts(
        to.transmit_detail.as_flattened_mut(),
        transmit_detail.as_flattened(),
    );
    for (to, more) in to.resets.iter_mut().zip(resets) {
        add(to, *more);
    }
    add_tcp(&mut to.tcp, tcp);
}

/// Adds what nothing is known of but that it was there, receive and transmit: of each way to tell
/// traffic apart, the last is that.
pub fn add_unnamed(to: &mut Totals, more: [Count; 2]) {
    const OTHER: usize = Scope::ALL.len() - 1;
    const PROTOCOL: usize = Protocol::ALL.len() - 1;
    const FAMILY: usize = Family::ALL.len() - 1;
    let [received, sent] = more;
    let ways = [
        (&mut to.receive, &mut to.receive_detail, received),
        (&mut to.transmit, &mut to.transmit_detail, sent),
    ];
    for (scopes, details, more) in ways {
        if let Some(scope) = scopes.get_mut(OTHER) {
            add_count(scope, more);
        }
        if let Some(detail) = details
            .get_mut(PROTOCOL)
            .and_then(|row| row.get_mut(FAMILY))
        {
            add_count(detail, more);
        }
    }
}

/// By how much `more` is more than `less`, each of bytes and packets on its own, at least 0.
pub fn excess(more: Count, less: Count) -> Count {
    Count {
        bytes: more.bytes.saturating_sub(less.bytes),
        packets: more.packets.saturating_sub(less.packets),
    }
}

/// Adds one count to another.
pub fn add_count(to: &mut Count, more: Count) {
    let Count { bytes, packets } = more;
    add(&mut to.bytes, bytes);
    add(&mut to.packets, packets);
}

fn minus(all: Count, surplus: Count) -> Count {
    Count {
        bytes: all.bytes.wrapping_sub(surplus.bytes),
        packets: all.packets.wrapping_sub(surplus.packets),
    }
}

fn add_direction(scopes: &mut [Count; 4], surplus: &mut Count, resets: &mut u64, way: &Direction) {
    let Direction {
        scopes: more,
        surplus: more_surplus,
        estimated: _,
        resets: more_resets,
        ..
    } = way;
    add_counts(scopes, more);
    add_count(surplus, *more_surplus);
    add(resets, *more_resets);
}

fn add_tcp(to: &mut TcpValue, more: &TcpValue) {
    let TcpValue {
        retransmits,
        connected,
        failed,
        accepted,
        rtt,
        rtt_sum_us,
        ..
    } = more;
    add(&mut to.retransmits, *retransmits);
    add(&mut to.connected, *connected);
    add(&mut to.failed, *failed);
    add(&mut to.accepted, *accepted);
    add(&mut to.rtt_sum_us, *rtt_sum_us);
    for (to, more) in to.rtt.iter_mut().zip(rtt) {
        add(to, *more);
    }
}

fn add_counts(to: &mut [Count], more: &[Count]) {
    for (to, more) in to.iter_mut().zip(more) {
        add_count(to, *more);
    }
}

const fn add(to: &mut u64, more: u64) {
    *to = to.wrapping_add(more);
}
