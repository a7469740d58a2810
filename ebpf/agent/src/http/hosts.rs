//! Which hosts a request may be for.
//!
//! A page of anybody's can make a browser ask `http://its-own-name:9455/` after that name has been
//! pointed to 127.0.0.1, and read the answer, because it is from the page's own host. The request
//! still names that host.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// The names that are answered to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hosts(BTreeSet<String>);

/// What nobody can ask for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host name or address")]
pub struct InvalidHost(String);

impl Hosts {
    /// Those of this machine by itself, and `more`.
    pub(crate) fn new(more: &[String]) -> Result<Self, InvalidHost> {
        let mut names: BTreeSet<String> = ["localhost"].map(str::to_owned).into();
        for name in more {
            let plain = normal(name);
            if plain.is_empty() || !plain.bytes().all(is_of_a_host) {
                return Err(InvalidHost(name.chars().take(200).collect()));
            }
            names.insert(plain);
        }
        Ok(Self(names))
    }

    /// Whether a request for `authority` (`host` or `host:port`) that arrived at the address
    /// `local` is answered. An address of a loopback interface is, and the one it arrived at.
    pub(crate) fn answer(&self, authority: &str, local: IpAddr) -> bool {
        let Some(host) = host_of(authority) else {
            return false;
        };
        match host.parse::<IpAddr>() {
            Ok(address) if address.is_loopback() => return true,
            Ok(address) if address.to_canonical() == local.to_canonical() => return true,
            Ok(_) | Err(_) => {}
        }
        self.0.contains(&normal(host))
    }
}

/// The host of an authority, without the brackets of an IPv6 address; `None` when it is none.
pub(crate) fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (
                host,
                if port.is_empty() {
                    None
                } else {
                    Some(port.strip_prefix(':')?)
                },
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok() || port.is_empty();
    (!host.is_empty() && port.is_none_or(is_port)).then_some(host)
}

/// A name as it is compared: without the dot of the root, in small letters.
fn normal(name: &str) -> String {
    let name = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

const fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_54_only_hosts_of_ours_are_answered() {
        let hosts = Hosts::new(&["Node-1.example.".to_owned(), "[2001:db8::1]".to_owned()]);
        let hosts = hosts.unwrap();
        let local = IpAddr::from([192, 0, 2, 7]);
        let cases = [
            ("localhost", true),
            ("LOCALHOST:9455", true),
            ("localhost.", true),
            ("127.0.0.1:9455", true),
            ("127.9.9.9", true),
            ("[::1]:9455", true),
            ("192.0.2.7:9455", true),
            ("192.0.2.8:9455", false),
            ("node-1.example:80", true),
            ("[2001:db8::1]:80", true),
            ("2001:db8::1", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("localhost@evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("evil.example#localhost", false),
            ("localhost:99999", false),
            ("localhost:80:80", false),
            ("[::1]x", false),
            ("[localhost]", false),
            ("", false),
            (":9455", false),
        ];
        for (authority, answered) in cases {
            assert_eq!(hosts.answer(authority, local), answered, "{authority:?}");
        }
    }

    #[test]
    fn an_ipv4_client_of_a_socket_of_both_families_is_answered() {
        let hosts = Hosts::new(&[]).unwrap();
        assert!(hosts.answer("192.0.2.7", "::ffff:192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn what_is_no_host_cannot_be_allowed() {
        for name in ["", "a b", "http://a", "*", "a/b", "."] {
            assert!(Hosts::new(&[name.to_owned()]).is_err(), "{name:?}");
        }
    }
}
