//! What is read of a packet's headers.

use core::mem::size_of;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::bpf_skb_load_bytes;

pub const ETH_BYTES: u32 = 14;
/// With the IPv4 header, without options.
pub const ETH_IPV4_BYTES: u32 = ETH_BYTES + 20;
/// With the IPv6 header, without extensions.
pub const ETH_IPV6_BYTES: u32 = ETH_BYTES + 40;
/// A tag of 802.1Q or 802.1ad.
pub const TAG_BYTES: u32 = 4;

// As they are in the packet, on this machine.
pub const IPV4: u16 = 0x0800_u16.to_be();
pub const IPV6: u16 = 0x86dd_u16.to_be();
pub const ETHERNET: u16 = 0x6558_u16.to_be();
const VLAN: u16 = 0x8100_u16.to_be();
const QINQ: u16 = 0x88a8_u16.to_be();

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMP: u8 = 1;
pub const ICMP6: u8 = 58;
pub const SCTP: u8 = 132;

/// The kernel's view of a packet.
#[derive(Clone, Copy)]
pub struct Packet {
    pub skb: *mut __sk_buff,
}

impl Packet {
    #[inline(always)]
    pub fn len(self) -> u32 {
        // SAFETY: the context is the kernel's, and this field is every program's to read.
        unsafe { (*self.skb).len }
    }

    /// Its first `bytes`, a constant, when they are together in memory, which they nearly always are.
    #[inline(always)]
    pub fn head(self, bytes: u32) -> Option<Head> {
        // SAFETY: as above; where they end is only compared with.
        let (data, end) = unsafe { ((*self.skb).data as usize, (*self.skb).data_end as usize) };
        (data + bytes as usize <= end).then_some(Head(data))
    }

    /// What is at `offset`; `None` behind the end.
    #[inline(always)]
    pub fn load<T: Copy>(self, offset: u32) -> Option<T> {
        let mut found = core::mem::MaybeUninit::<T>::uninit();
        // SAFETY: `T` is plain integers, of which the kernel writes all bytes or says that it failed.
        unsafe {
            let to = (&raw mut found).cast();
            (bpf_skb_load_bytes(self.skb.cast(), offset, to, size_of::<T>() as u32) == 0)
                .then(|| found.assume_init())
        }
    }
}

/// The first bytes of a packet, in memory.
#[derive(Clone, Copy)]
pub struct Head(usize);

impl Head {
    /// What is at `offset`, a constant, as a plain integer of at most 8 bytes: it is one instruction
    /// on a processor that reads unaligned (`allows-misaligned-mem-access`).
    #[inline(always)]
    pub fn read<T: Copy>(self, offset: u32) -> T {
        // SAFETY: the kernel's verifier takes no program that reads what was not compared with the end.
        unsafe { ((self.0 + offset as usize) as *const T).read_unaligned() }
    }

    #[inline(always)]
    pub fn ethertype(self) -> u16 {
        self.read(ETH_BYTES - 2)
    }
}

/// Where the network header is, and of which protocol it is.
#[derive(Clone, Copy)]
pub struct Network {
    pub offset: u32,
    pub ethertype: u16,
}

/// Of the frame at `offset`. Passes over up to two tags in the packet itself.
// Apart from the rest, like the next: the way of a plain packet is short without them.
#[cold]
#[inline(never)]
pub fn network(packet: Packet, frame: u32) -> Option<Network> {
    let mut offset = frame + ETH_BYTES;
    let mut ethertype = packet.load::<u16>(offset - 2)?;
    for _ in 0..2 {
        if !is_tag(ethertype) {
            break;
        }
        offset += TAG_BYTES;
        ethertype = packet.load::<u16>(offset - 2)?;
    }
    Some(Network { offset, ethertype })
}

#[inline(always)]
fn is_tag(ethertype: u16) -> bool {
    ethertype == VLAN || ethertype == QINQ
}

/// Where the transport header is, and of which protocol it is.
#[derive(Clone, Copy)]
pub struct Transport {
    pub offset: u32,
    pub protocol: u8,
    /// Not the first fragment: `protocol` is right, but there is no header of it.
    pub headless: bool,
    /// Bytes that the kernel put in, and that no segment on the wire has: a jumbo option.
    pub inserted: u32,
}

#[cold]
#[inline(never)]
pub fn transport(packet: Packet, network: Network) -> Option<Transport> {
    match network.ethertype {
        IPV4 => behind_ipv4(packet, network.offset),
        IPV6 => behind_ipv6(packet, network.offset),
        _ => None,
    }
}

#[inline(always)]
fn behind_ipv4(packet: Packet, at: u32) -> Option<Transport> {
    let [first, _, _, _, _, _, high, low, _, protocol] = packet.load::<[u8; 10]>(at)?;
    let words = u32::from(first & 0xf);
    (words >= 5).then_some(Transport {
        offset: at + words * 4,
        protocol,
        headless: (high & 0x1f) | low != 0,
        inserted: 0,
    })
}

/// Most extension headers that are passed over.
const EXTENSIONS: usize = 4;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const IPV6_BYTES: u32 = 40;
/// RFC 2675. Linux puts one before what is longer than 65,535 bytes, and takes it out again when it
/// makes segments of that.
const JUMBO: u8 = 0xc2;

/// RFC 8200, section 4; RFC 4302.
#[inline(always)]
fn behind_ipv6(packet: Packet, at: u32) -> Option<Transport> {
    let [high, low, next] = packet.load::<[u8; 3]>(at + 4)?;
    let mut found = Transport {
        offset: at + IPV6_BYTES,
        protocol: next,
        headless: false,
        inserted: 0,
    };
    for _ in 0..EXTENSIONS {
        if !is_extension(found.protocol) || found.headless {
            break;
        }
        let [next, length, a, b] = packet.load::<[u8; 4]>(found.offset)?;
        let bytes = 8 + u32::from(length)
            * match found.protocol {
                FRAGMENT => 0,
                AUTHENTICATION => 4,
                _ => 8,
            };
        if found.protocol == FRAGMENT {
            found.headless = a | (b & 0xf8) != 0;
        }
        // A payload of no bytes is one whose length is in the option.
        if found.protocol == HOP_BY_HOP && a == JUMBO && bytes == 8 && high | low == 0 {
            found.inserted = 8;
        }
        found.offset += bytes;
        found.protocol = next;
    }
    Some(found)
}

#[inline(always)]
pub fn is_extension(protocol: u8) -> bool {
    matches!(
        protocol,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION
    )
}
