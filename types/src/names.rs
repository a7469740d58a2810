//! Names that end up in keys, file names and the kernel, each with its own rule.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that breaks its rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a {what}: {rule}")]
pub struct InvalidName {
    /// What the name was for.
    pub what: &'static str,
    /// The name as given.
    pub value: String,
    /// What a right one looks like.
    pub rule: &'static str,
}

/// One validated string type per kind of name, so that one is never passed for another.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Box<str>);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(raw: &str) -> Result<Self, Self::Err> {
                let fits: fn(&str) -> bool = $fits;
                if fits(raw) {
                    Ok(Self(raw.into()))
                } else {
                    Err(InvalidName { what: $what, value: raw.to_owned(), rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(raw: String) -> Result<Self, Self::Error> {
                raw.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.into()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A Linux network interface name: 1 to 15 bytes, no `/`, `:` or whitespace, not `.` or `..`.
    ///
    /// The limit is `IFNAMSIZ - 1`. Holding one means the kernel accepts the spelling.
    IfName,
    "interface name",
    "1 to 15 bytes without '/', ':' or white space, not '.' or '..'",
    |raw| {
        matches!(raw.len(), 1..=15)
            && raw != "."
            && raw != ".."
            && !raw.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
    }
);

impl IfName {
    /// The name of an intermediate device: `ifb` and 12 hexadecimal digits.
    pub fn ifb(number: [u8; 6]) -> Self {
        let digits = number.map(|byte| format!("{byte:02x}")).concat();
        Self(format!("ifb{digits}").into())
    }
}

name!(
    /// A container's id as the runtime gives it: `[a-zA-Z0-9][a-zA-Z0-9_.-]*` (CNI specification,
    /// "Parameters"), here at most 128 bytes so that a key fits every store.
    ContainerId,
    "container id",
    "1 to 128 of [a-zA-Z0-9_.-], beginning with a letter or digit",
    |raw| alphanumeric_first(raw, 128)
);

name!(
    /// The `name` of a network configuration: `[a-zA-Z0-9][a-zA-Z0-9_.-]*` (CNI specification,
    /// section 1), here at most 63 bytes.
    NetworkName,
    "network name",
    "1 to 63 of [a-zA-Z0-9_.-], beginning with a letter or digit",
    |raw| alphanumeric_first(raw, 63)
);

name!(
    /// A node's name, by default its host name: at most 253 bytes of `[a-zA-Z0-9_.-]`.
    NodeName,
    "node name",
    "1 to 253 of [a-zA-Z0-9_.-], beginning with a letter or digit",
    |raw| alphanumeric_first(raw, 253)
);

name!(
    /// A pool's name: a DNS label (RFC 1123), that is 1 to 63 of `[a-z0-9-]`, no `-` at either end.
    PoolName,
    "pool name",
    "1 to 63 of [a-z0-9-], beginning and ending with a letter or digit",
    |raw| raw.len() <= 63 && is_label(raw)
);

name!(
    /// A node's random identity, 32 hexadecimal digits, made once and kept in `<stateDir>/node-id`.
    ///
    /// Names can be given twice; this can not.
    NodeId,
    "node id",
    "32 lower-case hexadecimal digits",
    |raw| raw.len() == 32 && raw.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);

name!(
    /// A Kubernetes namespace: a DNS label (RFC 1123), that is 1 to 63 of `[a-z0-9-]`, no `-` at
    /// either end.
    NamespaceName,
    "namespace",
    "1 to 63 of [a-z0-9-], beginning and ending with a letter or digit",
    |raw| raw.len() <= 63 && is_label(raw)
);

name!(
    /// The name of a Kubernetes object such as a pod: a DNS subdomain (RFC 1123), that is labels of
    /// `[a-z0-9-]` with dots between them, at most 253 bytes.
    ObjectName,
    "object name",
    "1 to 253 of [a-z0-9.-], labels beginning and ending with a letter or digit",
    |raw| raw.len() <= 253 && raw.split('.').all(is_label)
);

name!(
    /// A pattern of names: `*` stands for any run of characters, also for none; everything else for
    /// itself. 1 to 253 of `[a-zA-Z0-9_.*-]`.
    NamePattern,
    "name pattern",
    "1 to 253 of [a-zA-Z0-9_.-] and '*', which stands for any run of characters",
    |raw| {
        let can = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '*');
        (1..=253).contains(&raw.len()) && raw.chars().all(can)
    }
);

fn is_label(raw: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    edge(raw.chars().next())
        && edge(raw.chars().next_back())
        && raw
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn alphanumeric_first(raw: &str, longest: usize) -> bool {
    raw.len() <= longest
        && raw.starts_with(|c: char| c.is_ascii_alphanumeric())
        && raw
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_are_what_the_kernel_accepts() {
        for good in ["eth0", "a", "123456789012345", "net1.120", "-x"] {
            assert!(good.parse::<IfName>().is_ok(), "case: {good:?}");
        }
        for bad in [
            "",
            ".",
            "..",
            "1234567890123456",
            "a/b",
            "a:b",
            "a b",
            "a\tb",
            "a\0b",
        ] {
            assert!(bad.parse::<IfName>().is_err(), "case: {bad:?}");
        }
    }

    #[test]
    fn container_ids_cannot_leave_their_key_or_folder() {
        let long = "a".repeat(129);
        for bad in ["", "-a", ".a", "../x", "a/b", "a b", "é", long.as_str()] {
            assert!(bad.parse::<ContainerId>().is_err(), "case: {bad:?}");
        }
        assert!("0f_.-A".parse::<ContainerId>().is_ok());
    }

    #[test]
    fn pool_names_are_dns_labels() {
        let long = "p".repeat(300);
        for bad in ["", "-a", "a-", "A", "a.b", "a/b", long.as_str()] {
            assert!(bad.parse::<PoolName>().is_err(), "case: {bad:?}");
        }
        assert!("prod-2".parse::<PoolName>().is_ok());
    }

    #[test]
    fn an_invalid_name_says_what_it_is_and_what_it_should_be() {
        let error = "a b".parse::<PoolName>().unwrap_err().to_string();
        assert!(
            error.contains("\"a b\"") && error.contains("pool name"),
            "{error}"
        );
    }
}
