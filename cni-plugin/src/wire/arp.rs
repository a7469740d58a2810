//! ARP over Ethernet for IPv4 (RFC 826), with the probes and announcements of RFC 5227.

use std::net::{IpAddr, Ipv4Addr};

use berth_types::{Family, MacAddr};

use super::{Bytes, Said, ethertype, mac_of};

/// Hardware Ethernet, protocol IPv4, addresses of 6 and 4 bytes.
const KIND: [u8; 6] = [0, 1, 0x08, 0, 6, 4];
const REQUEST: u16 = 1;
const REPLY: u16 = 2;
const EVERYBODY: Bytes = [0xff; 6];

/// Asks everybody for the hardware address of `target`.
///
/// With the unspecified address as `own` it is a probe, with `target` itself an announcement.
pub fn request(mac: MacAddr, own: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    frame(REQUEST, (mac.bytes(), own), ([0; 6], target))
}

/// Tells everybody, as an answer that nobody asked for, that `own` is at `mac` (RFC 5944 §4.6).
pub fn announcement(mac: MacAddr, own: Ipv4Addr) -> Vec<u8> {
    frame(REPLY, (mac.bytes(), own), (mac.bytes(), own))
}

fn frame(operation: u16, sender: (Bytes, Ipv4Addr), target: (Bytes, Ipv4Addr)) -> Vec<u8> {
    let mut frame = Vec::with_capacity(42);
    frame.extend(EVERYBODY);
    frame.extend(sender.0);
    frame.extend(ethertype(Family::V4).to_be_bytes());
    frame.extend(KIND);
    frame.extend(operation.to_be_bytes());
    for (mac, address) in [sender, target] {
        frame.extend(mac);
        frame.extend(address.octets());
    }
    frame
}

/// Reads a frame; `None` unless it is a whole ARP frame that says who has an IPv4 address.
///
/// Whoever names an address as its sender says that it has it, in a question as in an answer.
pub fn read(frame: &[u8]) -> Option<Said> {
    let (_destination, rest) = frame.split_first_chunk::<6>()?;
    let (source, rest) = rest.split_first_chunk::<6>()?;
    let rest = rest.strip_prefix(&ethertype(Family::V4).to_be_bytes())?;
    let rest = rest.strip_prefix(&KIND)?;
    let (operation, rest) = rest.split_first_chunk::<2>()?;
    let (sender_mac, rest) = rest.split_first_chunk::<6>()?;
    let (sender, rest) = rest.split_first_chunk::<4>()?;
    let (_target_mac, rest) = rest.split_first_chunk::<6>()?;
    let (target, _padding) = rest.split_first_chunk::<4>()?;
    let mac = mac_of(*sender_mac, *source)?;
    let [sender, target] = [sender, target].map(|octets| Ipv4Addr::from(*octets));
    match (u16::from_be_bytes(*operation), sender.is_unspecified()) {
        (REQUEST | REPLY, false) => Some(Said::Has {
            address: IpAddr::V4(sender),
            mac,
        }),
        (REQUEST, true) => Some(Said::Probes {
            address: IpAddr::V4(target),
            mac,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mac() -> MacAddr {
        "0a:58:0a:14:01:07".parse().unwrap()
    }

    const OURS: Ipv4Addr = Ipv4Addr::new(10, 20, 1, 7);

    #[test]
    fn an_announcement_has_the_form_of_a_request_or_of_a_reply() {
        let request = request(mac(), OURS, OURS);
        let start = [255, 255, 255, 255, 255, 255, 10, 88, 10, 20, 1, 7, 8, 6];
        assert_eq!(request.len(), 42);
        assert_eq!(request[..14], start);
        assert_eq!(request[14..22], [0, 1, 8, 0, 6, 4, 0, 1]);
        assert_eq!(request[22..32], [10, 88, 10, 20, 1, 7, 10, 20, 1, 7]);
        assert_eq!(request[32..], [0, 0, 0, 0, 0, 0, 10, 20, 1, 7]);
        let reply = announcement(mac(), OURS);
        assert_eq!((reply[..14].to_vec(), reply[21]), (start.to_vec(), 2));
        assert_eq!(reply[32..], [10, 88, 10, 20, 1, 7, 10, 20, 1, 7]);
    }

    #[test]
    fn a_probe_lays_claim_to_nothing() {
        let frame = request(mac(), Ipv4Addr::UNSPECIFIED, OURS);
        let (address, mac) = (IpAddr::V4(OURS), mac());
        assert_eq!(read(&frame), Some(Said::Probes { address, mac }));
    }

    #[test]
    fn whoever_names_an_address_as_its_sender_has_it() {
        let (address, mac) = (IpAddr::V4(OURS), mac());
        let has = Some(Said::Has { address, mac });
        assert_eq!(read(&request(mac, OURS, Ipv4Addr::new(10, 20, 1, 1))), has);
        assert_eq!(read(&announcement(mac, OURS)), has);
    }

    #[test]
    fn a_sender_that_bears_no_hardware_address_is_known_by_its_frames() {
        let mut frame = announcement(mac(), OURS);
        frame[22..28].fill(0xff);
        let (address, mac) = (IpAddr::V4(OURS), mac());
        assert_eq!(read(&frame), Some(Said::Has { address, mac }));
        frame[6..12].fill(0);
        assert_eq!(read(&frame), None);
    }

    #[test]
    fn anything_but_a_whole_arp_frame_says_nothing() {
        let frame = announcement(mac(), OURS);
        for length in 0..frame.len() {
            assert_eq!(read(&frame[..length]), None, "{length} bytes");
        }
        for byte in [12, 13, 14, 16, 18, 19, 20, 21] {
            let mut other = frame.clone();
            other[byte] ^= 0x40;
            assert_eq!(read(&other), None, "byte {byte}");
        }
        let mut padded = frame.clone();
        padded.resize(60, 0);
        assert_eq!(read(&padded), read(&frame));
    }

    proptest! {
        #[test]
        fn no_frame_stops_the_reader(frame: Vec<u8>) {
            let _said = read(&frame);
        }

        #[test]
        fn what_is_asked_is_read(own: u32, target: u32) {
            let [own, target] = [own, target].map(Ipv4Addr::from);
            let said = read(&request(mac(), own, target));
            let expected = if own.is_unspecified() {
                Said::Probes { address: target.into(), mac: mac() }
            } else {
                Said::Has { address: own.into(), mac: mac() }
            };
            prop_assert_eq!(said, Some(expected));
        }
    }
}
