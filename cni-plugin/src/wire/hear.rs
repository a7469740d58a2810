//! What was heard, and what it means. Pure.

use std::net::IpAddr;

use berth_types::MacAddr;
use ipnetwork::IpNetwork;

use super::Said;

/// Somebody else has an address, or is about to take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The address.
    pub address: IpAddr,
    /// Who it was.
    pub mac: MacAddr,
}

/// Whether what was said speaks against taking one of the `wanted` addresses.
///
/// `own` is the hardware address that the questions were asked under: what comes from it is an echo
/// of them.
pub fn conflict(said: &Said, wanted: &[IpAddr], own: MacAddr) -> Option<Conflict> {
    let (Said::Has { address, mac } | Said::Probes { address, mac }) = *said;
    let speaks = mac != own && wanted.contains(&address);
    speaks.then_some(Conflict { address, mac })
}

/// Whether it answers for `address`.
pub fn answers(said: &Said, address: IpAddr) -> bool {
    matches!(said, Said::Has { address: known, .. } if *known == address)
}

/// An address of the subnet that nobody can have: whoever answers for it answers for everything.
///
/// That is the subnet's own, where it has one; `None` in IPv6, where such proxies are not known, and
/// in subnets of two addresses.
pub fn proxy(subnet: IpNetwork) -> Option<IpAddr> {
    match subnet {
        IpNetwork::V4(v4) if v4.prefix() < 31 => Some(IpAddr::V4(v4.network())),
        IpNetwork::V4(_) | IpNetwork::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(raw: &str) -> IpAddr {
        raw.parse().unwrap()
    }

    fn mac(last: u8) -> MacAddr {
        MacAddr::from_bytes([2, 0, 0, 0, 0, last]).unwrap()
    }

    #[test]
    fn an_answer_and_anothers_probe_are_conflicts() {
        let wanted = [ip("10.20.1.7"), ip("fd00:20::7")];
        for address in wanted {
            let mac = mac(9);
            let expected = Some(Conflict { address, mac });
            let said = [Said::Has { address, mac }, Said::Probes { address, mac }];
            for said in said {
                assert_eq!(conflict(&said, &wanted, self::mac(1)), expected);
            }
        }
        let other = Said::Has {
            address: ip("10.20.1.8"),
            mac: mac(9),
        };
        assert_eq!(conflict(&other, &wanted, mac(1)), None);
    }

    #[test]
    fn case_69_ones_own_echo_is_none_but_the_derived_hardware_address_is_one() {
        let address = ip("10.20.1.7");
        let echo = Said::Probes {
            address,
            mac: mac(1),
        };
        assert_eq!(conflict(&echo, &[address], mac(1)), None);
        let derived = MacAddr::of_address(address);
        let twin = Said::Has {
            address,
            mac: derived,
        };
        assert!(conflict(&twin, &[address], mac(1)).is_some());
    }

    #[test]
    fn case_70_nobody_has_the_subnets_own_address() {
        let nobodys = |raw: &str| proxy(raw.parse().unwrap());
        assert_eq!(nobodys("10.20.1.7/24"), Some(ip("10.20.1.0")));
        assert_eq!(nobodys("10.20.1.7/31"), None);
        assert_eq!(nobodys("fd00:20::7/64"), None);
    }
}
