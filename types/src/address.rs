//! Addresses as numbers and as keys that sort like numbers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

/// Text that is not an address, or not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {wanted}")]
pub struct BadAddress {
    /// The text as given.
    pub value: String,
    /// What it should have been.
    pub wanted: &'static str,
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    #[serde(rename = "4")]
    V4,
    /// IPv6.
    #[serde(rename = "6")]
    V6,
}

impl Family {
    /// The family `address` is of.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Parses an address strictly: no leading zeros, no prefix length. An IPv4-mapped IPv6 address is
/// the IPv4 address it maps.
///
/// # Errors
/// [`BadAddress`] for anything else.
pub fn parse_address(raw: &str) -> Result<IpAddr, BadAddress> {
    raw.parse::<IpAddr>()
        .map(|address| address.to_canonical())
        .map_err(|_parse| BadAddress {
            value: raw.to_owned(),
            wanted: "an IPv4 or IPv6 address without leading zeros or prefix length",
        })
}

/// The address in fixed width, so that keys sort like addresses and still read:
/// `010.020.001.017`, or eight groups of four hexadecimal digits.
pub fn address_key(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{a:03}.{b:03}.{c:03}.{d:03}")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.segments();
            format!("{a:04x}:{b:04x}:{c:04x}:{d:04x}:{e:04x}:{f:04x}:{g:04x}:{h:04x}")
        }
    }
}

/// The inverse of [`address_key`]; `None` for text in any other form.
pub fn address_from_key(key: &str) -> Option<IpAddr> {
    let address = if key.contains(':') {
        IpAddr::V6(key.parse::<Ipv6Addr>().ok()?)
    } else {
        let octets = key
            .split('.')
            .map(|part| part.parse::<u8>().ok())
            .collect::<Option<Vec<_>>>();
        IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(octets?).ok()?))
    };
    (address_key(address) == key).then_some(address)
}

/// The address as a number; the two families overlap, so compare only within one.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The address of `like`'s family with this number; `None` above the family's last address.
pub(crate) fn address_like(like: IpAddr, number: u128) -> Option<IpAddr> {
    match like {
        IpAddr::V4(_) => u32::try_from(number)
            .ok()
            .map(|n| IpAddr::V4(Ipv4Addr::from(n))),
        IpAddr::V6(_) => Some(IpAddr::V6(Ipv6Addr::from(number))),
    }
}

/// A run of addresses of one family, both ends included: `10.20.1.10-10.20.1.20`.
///
/// Read from that form, from one address, or from a CIDR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// From `first` to `last`; `None` when they are of two families or backwards.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        let forwards = first.is_ipv4() == last.is_ipv4() && number(first) <= number(last);
        forwards.then_some(Self { first, last })
    }

    /// Every address of a network.
    pub fn of_network(network: IpNetwork) -> Self {
        Self {
            first: network.network(),
            last: network.broadcast(),
        }
    }

    /// The lowest address.
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    /// The highest address.
    pub const fn last(&self) -> IpAddr {
        self.last
    }

    /// Whether `address` is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4()
            && (number(self.first)..=number(self.last)).contains(&number(address))
    }

    /// Whether any address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first.is_ipv4() == other.first.is_ipv4()
            && number(self.first) <= number(other.last)
            && number(other.first) <= number(self.last)
    }

    /// How many addresses there are, saturating.
    pub fn count(&self) -> u128 {
        (number(self.last) - number(self.first)).saturating_add(1)
    }
}

impl FromStr for AddressRange {
    type Err = BadAddress;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let bad = || BadAddress {
            value: raw.to_owned(),
            wanted: "an address, FIRST-LAST in one family and in order, or a CIDR",
        };
        if let Some((first, last)) = raw.split_once('-') {
            return Self::new(parse_address(first)?, parse_address(last)?).ok_or_else(bad);
        }
        if raw.contains('/') {
            let network = raw.parse::<IpNetwork>().map_err(|_parse| bad())?;
            if network.network() != network.ip() {
                return Err(bad());
            }
            return Ok(Self::of_network(network));
        }
        let address = parse_address(raw)?;
        Ok(Self {
            first: address,
            last: address,
        })
    }
}

impl TryFrom<String> for AddressRange {
    type Error = BadAddress;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        raw.parse()
    }
}

impl From<AddressRange> for String {
    fn from(range: AddressRange) -> Self {
        range.to_string()
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_fixed_width_and_read() {
        let cases = [
            ("10.20.1.17", "010.020.001.017"),
            ("2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001"),
        ];
        for (address, key) in cases {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(address_key(address), key);
            assert_eq!(address_from_key(key), Some(address));
        }
        for bad in [
            "10.20.1.17",
            "010.020.001.999",
            "010.020.001",
            "::1",
            "x",
            "",
        ] {
            assert_eq!(address_from_key(bad), None, "case: {bad:?}");
        }
    }

    #[test]
    fn case_17_addresses_are_parsed_strictly_and_canonically() {
        assert_eq!(
            parse_address("::ffff:10.20.1.17"),
            parse_address("10.20.1.17")
        );
        for bad in [
            "010.20.1.17",
            "10.20.1",
            "10.20.1.17/24",
            "10.20.1.17 ",
            "",
            "10.20.1.256",
        ] {
            assert!(parse_address(bad).is_err(), "case: {bad:?}");
        }
    }

    #[test]
    fn a_range_is_one_address_two_or_a_cidr() {
        for (raw, first, last) in [
            ("10.0.0.9", "10.0.0.9", "10.0.0.9"),
            ("10.0.0.9-10.0.0.12", "10.0.0.9", "10.0.0.12"),
            ("10.0.0.16/28", "10.0.0.16", "10.0.0.31"),
        ] {
            let range: AddressRange = raw.parse().unwrap();
            assert_eq!(
                (range.first().to_string(), range.last().to_string()),
                (first.into(), last.into())
            );
        }
        for bad in [
            "10.0.0.9-10.0.0.8",
            "10.0.0.9-::1",
            "10.0.0.9/28",
            "10.0.0.0/33",
            "-",
            "a-b",
        ] {
            assert!(bad.parse::<AddressRange>().is_err(), "case: {bad:?}");
        }
    }

    proptest! {
        #[test]
        fn keys_sort_like_addresses(a: u32, b: u32) {
            let key = |n: u32| address_key(Ipv4Addr::from(n).into());
            prop_assert_eq!(a.cmp(&b), key(a).cmp(&key(b)));
        }

        #[test]
        fn v6_keys_sort_like_addresses_and_return(a: u128, b: u128) {
            let key = |n: u128| address_key(IpAddr::V6(n.into()));
            prop_assert_eq!(a.cmp(&b), key(a).cmp(&key(b)));
            prop_assert_eq!(address_from_key(&key(a)), Some(IpAddr::V6(a.into())));
        }
    }
}
