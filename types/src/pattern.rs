//! Name patterns: which namespaces or nodes may draw from a pool.

use crate::names::NamePattern;

impl NamePattern {
    /// Whether all of `name` is like the pattern.
    ///
    /// Takes at most `name × pattern` steps: on a mismatch only the last `*` takes one more.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.as_str().as_bytes(), name.as_bytes());
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
