//! Hardware addresses, and how one follows from an IP address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hash::fnv1a;

/// An Ethernet address that an interface may bear: unicast, not all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr([u8; 6]);

/// Text or bytes that are no unicast Ethernet address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a MAC address of an interface: {rule}")]
pub struct InvalidMac {
    /// The text as given.
    pub value: String,
    /// Which rule it breaks.
    pub rule: &'static str,
}

impl MacAddr {
    /// The address of the interface that bears `address`.
    ///
    /// IPv4: `0a:58:` and the four bytes of the address, so that whoever holds the IP address has
    /// the MAC address that the neighbours' caches already contain. IPv6: `0e:` and 40 bits of the
    /// address's FNV-1a hash. Both are unicast and locally administered (IEEE 802, bit 1).
    pub fn of_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                Self([0x0a, 0x58, a, b, c, d])
            }
            IpAddr::V6(v6) => {
                let [_, _, _, a, b, c, d, e] = fnv1a(&v6.octets()).to_be_bytes();
                Self([0x0e, a, b, c, d, e])
            }
        }
    }

    /// These six bytes, when an interface may bear them.
    ///
    /// # Errors
    /// [`InvalidMac`] for a multicast or an all-zero address.
    pub fn from_bytes(bytes: [u8; 6]) -> Result<Self, InvalidMac> {
        let wrong = |rule| {
            Err(InvalidMac {
                value: Self(bytes).to_string(),
                rule,
            })
        };
        if bytes == [0; 6] {
            return wrong("it is all zero");
        }
        if matches!(bytes, [first, ..] if first & 1 == 1) {
            return wrong("it is a multicast address (the lowest bit of its first byte is set)");
        }
        Ok(Self(bytes))
    }

    /// The six bytes in transmission order.
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for MacAddr {
    type Err = InvalidMac;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let byte = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
            if digits {
                u8::from_str_radix(part, 16).ok()
            } else {
                None
            }
        };
        let bytes = raw.split(':').map(byte).collect::<Option<Vec<u8>>>();
        match bytes.map(<[u8; 6]>::try_from) {
            Some(Ok(bytes)) => Self::from_bytes(bytes),
            _ => Err(InvalidMac {
                value: raw.to_owned(),
                rule: "write six pairs of hexadecimal digits separated by ':'",
            }),
        }
    }
}

impl TryFrom<String> for MacAddr {
    type Error = InvalidMac;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        raw.parse()
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> Self {
        mac.to_string()
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_follows_from_the_address() {
        let mac = MacAddr::of_address([10, 20, 1, 17].into());
        assert_eq!(mac.to_string(), "0a:58:0a:14:01:11");
        let six = |raw: &str| MacAddr::of_address(raw.parse().unwrap());
        assert_ne!(six("2001:db8::1"), six("2001:db8::2"));
        assert_eq!(
            MacAddr::from_bytes(six("2001:db8::1").bytes()),
            Ok(six("2001:db8::1"))
        );
    }

    #[test]
    fn case_52_a_mac_no_interface_may_bear_is_refused() {
        let cases = [
            "",
            "0a:58:0a:14:01",
            "0a:58:0a:14:01:1",
            "0a-58-0a-14-01-11",
            "0a:58:0a:14:01:zz",
            "00:00:00:00:00:00",
            "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff",
            "+a:58:0a:14:01:11",
        ];
        for case in cases {
            let error = case.parse::<MacAddr>().expect_err(case).to_string();
            assert!(error.contains(&format!("{case:?}")), "case: {error}");
        }
        assert_eq!(
            "0A:58:0a:14:01:11".parse::<MacAddr>().unwrap().to_string(),
            "0a:58:0a:14:01:11"
        );
    }
}
