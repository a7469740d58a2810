//! Name patterns: which namespaces or nodes may draw from a pool.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::InvalidName;

/// A pattern of names: `*` stands for any run of characters, also for none; everything else for
/// itself. 1 to 253 of `[a-zA-Z0-9_.*-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern(Box<str>);

impl NamePattern {
    /// Whether all of `name` is like the pattern.
    ///
    /// Takes at most `name × pattern` steps: on a mismatch only the last `*` takes one more.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where to go on when what follows the last `*` does not fit.
        let mut retry = None;
        while let Some(byte) = name.get(n) {
            match pattern.get(p) {
                Some(b'*') => {
                    retry = Some((p + 1, n));
                    p += 1;
                }
                Some(expected) if expected == byte => {
                    p += 1;
                    n += 1;
                }
                _ => {
                    let Some((after, from)) = retry else {
                        return false;
                    };
                    retry = Some((after, from + 1));
                    (p, n) = (after, from + 1);
                }
            }
        }
        pattern.iter().skip(p).all(|byte| *byte == b'*')
    }
}

impl FromStr for NamePattern {
    type Err = InvalidName;

    fn from_str(raw: &str) -> Result<Self, InvalidName> {
        let can = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '*');
        if (1..=253).contains(&raw.len()) && raw.chars().all(can) {
            return Ok(Self(raw.into()));
        }
        Err(InvalidName {
            what: "name pattern",
            value: raw.to_owned(),
            rule: "1 to 253 of [a-zA-Z0-9_.-] and '*', which stands for any run of characters",
        })
    }
}

impl TryFrom<String> for NamePattern {
    type Error = InvalidName;

    fn try_from(raw: String) -> Result<Self, InvalidName> {
        raw.parse()
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.0.into()
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        let cases = [
            ("shop", "shop", true),
            ("shop", "shops", false),
            ("shop-*", "shop-eu", true),
            ("shop-*", "shop-", true),
            ("shop-*", "shop", false),
            ("*", "", true),
            ("*-eu", "shop-eu-eu", true),
            ("rack1-*-a*", "rack1-n7-a", true),
            ("rack1-*-a*", "rack1-a", false),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
        ];
        for (pattern, name, expected) in cases {
            let parsed: NamePattern = pattern.parse().unwrap();
            assert_eq!(parsed.matches(name), expected, "case: {pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_anything_else_is_refused() {
        let long = "a".repeat(300);
        for bad in ["", "a/b", "a b", "[ab]", long.as_str()] {
            assert!(bad.parse::<NamePattern>().is_err(), "case: {bad:?}");
        }
    }

    fn model(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                model(rest, name) || name.split_first().is_some_and(|(_, n)| model(pattern, n))
            }
            (Some((p, rest)), Some((n, names))) => p == n && model(rest, names),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_matches_what_its_definition_matches(pattern in "[ab*]{1,8}", name in "[ab]{0,8}") {
            let parsed: NamePattern = pattern.parse().unwrap();
            prop_assert_eq!(parsed.matches(&name), model(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
