//! Fields that nobody reads, and that are spelt almost as one that is. Pure.
//!
//! A configuration may have fields of the runtime and of anybody else, so that an unknown one is no
//! error. One that was meant for this program and does nothing is worth a word.

use std::fmt;

use serde_json::{Map, Value};

/// The fields that mean something here, or to every runtime.
const KNOWN: &[&str] = &[
    "acceptRa",
    "announce",
    "args",
    "bridge",
    "capabilities",
    "cniVersion",
    "conflictCheck",
    "disableGC",
    "dns",
    "driver",
    "gatewayCheck",
    "hostAccess",
    "ipam",
    "master",
    "mode",
    "mtu",
    "name",
    "node",
    "ovsdb",
    "prevResult",
    "runDir",
    "runtimeConfig",
    "serviceCidrs",
    "stateDir",
    "type",
    "vlan",
];

/// The shortest name of which one letter may be wrong: among shorter ones too many are alike.
const LONG: usize = 5;
/// The shortest name of which two letters may be wrong.
const VERY_LONG: usize = 9;

/// A field that does nothing, and the one that is probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misspelt {
    written: String,
    meant: &'static str,
}

impl fmt::Display for Misspelt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { written, meant } = self;
        write!(
            f,
            "{written}: no such field, it does nothing: is {meant:?} meant?"
        )
    }
}

/// All of them, in the order of their names.
pub(super) fn misspelt(object: &Map<String, Value>) -> Vec<Misspelt> {
    let unknown = object.keys().filter(|name| !KNOWN.contains(&name.as_str()));
    let found = unknown.filter_map(|written| {
        let meant = KNOWN.iter().find(|known| is_like(written, known))?;
        let written = written.clone();
        Some(Misspelt { written, meant })
    });
    found.collect()
}

/// Whether the one may be the other, written in other capitals, with `_` or `-`, or wrongly.
fn is_like(written: &str, known: &str) -> bool {
    // Nobody's slip is longer; whatever is sent must not cost time.
    if written.len() > 2 * known.len() {
        return false;
    }
    let letters = |name: &str| {
        let letters = name.chars().filter(|letter| !matches!(letter, '_' | '-'));
        letters.map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let [written, known]: [Vec<char>; 2] = [written, known].map(letters);
    let slips = match known.len() {
        VERY_LONG.. => 2,
        LONG.. => 1,
        _ => 0,
    };
    distance(&written, &known) <= slips
}

/// How many letters have to be put in, left out or changed (Levenshtein).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.iter().enumerate() {
        let mut next = vec![line + 1];
        for ((above, left_above), other) in row.iter().skip(1).zip(&row).zip(to) {
            let left = next.last().copied().unwrap_or_default();
            let changed = left_above + usize::from(letter != other);
            next.push(changed.min(left + 1).min(above + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meant(written: &str) -> Option<&'static str> {
        let object = json!({written: true});
        let found = misspelt(object.as_object().unwrap());
        found.first().map(|found| found.meant)
    }

    #[test]
    fn a_field_spelt_almost_right_is_told() {
        for (written, known) in [
            ("conflictcheck", "conflictCheck"),
            ("conflict_check", "conflictCheck"),
            ("hostaccess", "hostAccess"),
            ("host-access", "hostAccess"),
            ("hostAcess", "hostAccess"),
            ("serviceCidr", "serviceCidrs"),
            ("servicesCIDR", "serviceCidrs"),
            ("accept_ra", "acceptRa"),
            ("gatewayChek", "gatewayCheck"),
            ("masters", "master"),
            ("VLAN", "vlan"),
            ("Mtu", "mtu"),
            ("rundir", "runDir"),
        ] {
            assert_eq!(meant(written), Some(known), "case: {written}");
        }
    }

    #[test]
    fn what_is_known_or_somebody_elses_is_not() {
        let others = [
            "aliases",
            "cni.dev/valid-attachments",
            "cni.dev/attachments",
            "promiscMode",
            "isGateway",
            "ipMasq",
            "mac",
            "linkInContainer",
            "vlanTrunk",
            "plugins",
            "_comment",
            "nodes",
            "env",
            "log_level",
            "logFile",
            "hairpinMode",
            "forceAddress",
            "",
        ];
        for name in KNOWN.iter().chain(&others) {
            assert_eq!(meant(name), None, "case: {name}");
        }
        assert_eq!(meant(&"v".repeat(1 << 20)), None);
    }

    #[test]
    fn it_says_what_is_written_and_what_is_meant() {
        let object = json!({"hostaccess": true});
        let found = misspelt(object.as_object().unwrap());
        let words = found.first().unwrap().to_string();
        assert!(
            words.contains("hostaccess") && words.contains("\"hostAccess\""),
            "{words}"
        );
    }
}
