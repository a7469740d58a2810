//! Packets, put together from their headers.

/// Ethernet with the group bit clear.
pub(crate) fn ethernet(ethertype: u16) -> Vec<u8> {
    addressed([0x02, 0, 0, 0, 0, 1], ethertype)
}

/// Ethernet to everybody.
pub(crate) fn broadcast(ethertype: u16) -> Vec<u8> {
    addressed([0xff; 6], ethertype)
}

/// Ethernet to `to`.
pub(crate) fn addressed(to: [u8; 6], ethertype: u16) -> Vec<u8> {
    let from = [0x02, 0, 0, 0, 0, 2];
    [&to[..], &from, &ethertype.to_be_bytes()].concat()
}

/// Ethernet with tags of these protocols.
pub(crate) fn tagged(tags: &[u16], ethertype: u16) -> Vec<u8> {
    let mut frame = ethernet(*tags.first().unwrap_or(&ethertype));
    for (at, _) in tags.iter().enumerate() {
        let next = tags.get(at + 1).unwrap_or(&ethertype);
        frame.extend([0, 5]);
        frame.extend(next.to_be_bytes());
    }
    frame
}

pub(crate) const FROM4: [u8; 4] = [192, 0, 2, 1];
pub(crate) const TO4: [u8; 4] = [198, 51, 100, 9];

/// `words` of header, of which 5 are the least. `fragment` is the field of flags and offset.
pub(crate) fn ipv4(protocol: u8, words: u8, fragment: u16) -> Vec<u8> {
    let mut header = vec![0x40 | words, 0, 0, 0, 0, 0];
    header.extend(fragment.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(FROM4);
    header.extend(TO4);
    header.resize(usize::from(words.max(5)) * 4, 1);
    header
}

pub(crate) const FROM6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(crate) const TO6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

pub(crate) fn ipv6(next: u8) -> Vec<u8> {
    sized_ipv6(next, 1)
}

/// A payload of `bytes`; 0 is said where a jumbo option says it.
pub(crate) fn sized_ipv6(next: u8, bytes: u16) -> Vec<u8> {
    let [high, low] = bytes.to_be_bytes();
    let fixed = [0x60, 0, 0, 0, high, low, next, 64];
    [&fixed[..], &FROM6, &TO6].concat()
}

/// An extension header of 8 bytes and `more`, which is what its own field says in its own unit.
pub(crate) fn extension(protocol: u8, next: u8, more: u8) -> Vec<u8> {
    let unit = if protocol == 51 { 4 } else { 8 };
    let mut header = vec![next, more];
    // Padding, not an option; nor an offset of a fragment.
    header.resize(8 + usize::from(more) * unit, 0);
    header
}

/// RFC 2675.
pub(crate) fn jumbo(next: u8) -> Vec<u8> {
    vec![next, 0, 0xc2, 4, 0, 1, 0x86, 0xa0]
}

/// Of `words`; `flags` as in the header.
pub(crate) fn tcp(words: u8, flags: u8) -> Vec<u8> {
    let mut header = vec![0; usize::from(words) * 4];
    header[12] = words << 4;
    header[13] = flags;
    header
}

pub(crate) fn udp(to: u16) -> Vec<u8> {
    let [high, low] = to.to_be_bytes();
    vec![0x30, 0x39, high, low, 0, 0, 0, 0]
}

pub(crate) fn sctp() -> Vec<u8> {
    vec![0; 12]
}

pub(crate) fn payload(bytes: usize) -> Vec<u8> {
    vec![0xab; bytes]
}

/// All parts, one behind the other.
pub(crate) fn frame(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
pub(crate) const ARP: u16 = 0x0806;
pub(crate) const VLAN: u16 = 0x8100;
pub(crate) const QINQ: u16 = 0x88a8;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const SCTP: u8 = 132;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;
