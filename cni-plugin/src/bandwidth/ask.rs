//! Which limits a pod asks for. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::quantity::{NoNumber, whole};
use super::{Direction, Limit, Limits, Rate};
use crate::spec::CniError;

/// Where a runtime passes what the capability `bandwidth` brings.
const RUNTIME: &str = "runtimeConfig.bandwidth";
/// From here on, a burst in bits is a runtime's way to say that it has none: containerd and CRI-O
/// pass this very number (2^32 - 1), which would be half a gibibyte.
const NO_BURST: u64 = 4_294_967_295;
const RANGE: &str = "use 1k to 1P, in bits a second";

/// Resolves the limits: of each direction the runtime's, or else the annotation's.
///
/// # Errors
/// Code 7, naming the place and the value.
pub fn asked(
    runtime: Option<&Value>,
    annotations: &BTreeMap<String, String>,
) -> Result<Limits, CniError> {
    let none = Map::new();
    let runtime = match runtime {
        None | Some(Value::Null) => &none,
        Some(Value::Object(set)) => set,
        Some(other) => {
            let remedy =
                "the runtime has to send ingressRate, ingressBurst, egressRate, egressBurst";
            return Err(CniError::field(RUNTIME, other, remedy));
        }
    };
    let one = |direction| match of_runtime(runtime, direction)? {
        Some(limit) => Ok(Some(limit)),
        None => of_annotation(annotations, direction),
    };
    Ok(Limits {
        ingress: one(Direction::Ingress)?,
        egress: one(Direction::Egress)?,
    })
}

/// As the bandwidth plugin reads it: a rate of 0 is none.
fn of_runtime(set: &Map<String, Value>, direction: Direction) -> Result<Option<Limit>, CniError> {
    let bits = |what: &str| {
        let name = format!("{}{what}", direction.word());
        let Some(value) = of_any_case(set, &name).filter(|value| !value.is_null()) else {
            return Ok(0);
        };
        let wrong = || {
            CniError::field(
                &format!("{RUNTIME}.{name}"),
                value,
                "write bits as a whole number",
            )
        };
        value.as_u64().ok_or_else(wrong)
    };
    let (rate, burst) = (bits("Rate")?, bits("Burst")?);
    match (rate, Rate::from_bits(rate)) {
        (0, _) if matches!(burst, 1..NO_BURST) => {
            let name = format!("{RUNTIME}.{}Burst", direction.word());
            Err(CniError::field(
                &name,
                burst,
                "set a rate as well, or leave it out",
            ))
        }
        (0, _) => Ok(None),
        (_, Some(rate)) => Ok(Some(Limit {
            rate,
            burst: asked_burst(burst),
        })),
        (_, None) => {
            let name = format!("{RUNTIME}.{}Rate", direction.word());
            Err(CniError::field(&name, rate, RANGE))
        }
    }
}

/// Runtimes in Go, whose reader takes no notice of case, write `IngressRate` as well.
fn of_any_case<'a>(set: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let alike = || set.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    set.get(name).or_else(|| alike().map(|(_, value)| value))
}

/// A burst in bits, as bytes; none that is none.
fn asked_burst(bits: u64) -> Option<u32> {
    let some = matches!(bits, 1..NO_BURST);
    some.then(|| u32::try_from(bits.div_ceil(8)).ok()).flatten()
}

fn of_annotation(
    annotations: &BTreeMap<String, String>,
    direction: Direction,
) -> Result<Option<Limit>, CniError> {
    let name = format!("kubernetes.io/{}-bandwidth", direction.word());
    let Some(raw) = annotations.get(&name) else {
        return Ok(None);
    };
    let wrong = |remedy: &str| CniError::field(&name, format!("{raw:?}"), remedy);
    let bits = match whole(raw) {
        Ok(bits) => bits,
        Err(NoNumber::Malformed) => return Err(wrong("write a Kubernetes quantity, like 10M")),
        Err(NoNumber::Negative | NoNumber::Huge) => return Err(wrong(RANGE)),
    };
    match Rate::from_bits(bits) {
        Some(rate) => Ok(Some(Limit { rate, burst: None })),
        None => Err(wrong(RANGE)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::spec::Code;

    fn runtime(set: &Value) -> Result<Limits, CniError> {
        asked(Some(set), &BTreeMap::new())
    }

    fn annotated(name: &str, value: &str) -> Result<Limits, CniError> {
        asked(None, &BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    fn limit(bits: u64, burst: Option<u32>) -> Limit {
        let rate = Rate::from_bits(bits).unwrap();
        Limit { rate, burst }
    }

    #[test]
    fn nothing_is_asked_for_by_nothing() {
        for nothing in [
            Value::Null,
            json!({}),
            json!({"ingressRate": 0, "ingressBurst": 0, "egressRate": null}),
            json!({"ingressRate": 0, "ingressBurst": 4_294_967_295_u64}),
            json!({"x": 1}),
        ] {
            assert_eq!(runtime(&nothing), Ok(Limits::default()), "case: {nothing}");
        }
    }

    #[test]
    fn both_directions_are_read_in_bits_and_bursts_in_whole_bytes() {
        let limits = runtime(&json!({
            "ingressRate": 10_000_000, "ingressBurst": 800_001,
            "egressRate": 20_000_000, "egressBurst": 8_000_000,
        }));
        let expected = Limits {
            ingress: Some(limit(10_000_000, Some(100_001))),
            egress: Some(limit(20_000_000, Some(1_000_000))),
        };
        assert_eq!(limits, Ok(expected));
    }

    #[test]
    fn the_names_that_containerd_writes_are_understood() {
        let limits = runtime(&json!({
            "IngressRate": 10_000_000, "IngressBurst": 4_294_967_295_u64,
            "EgressRate": 0, "EgressBurst": 0,
        }));
        let ingress = Some(limit(10_000_000, None));
        assert_eq!(
            limits,
            Ok(Limits {
                ingress,
                egress: None
            })
        );
    }

    #[test]
    fn case_65_an_annotation_beyond_the_kubelets_limits_is_code_7() {
        for name in [
            "kubernetes.io/ingress-bandwidth",
            "kubernetes.io/egress-bandwidth",
        ] {
            for value in [
                "10Q", "-1", "0", "", "999", "1.1P", "2P", "100E", "1e99", "ten",
            ] {
                let error = annotated(name, value).unwrap_err();
                assert_eq!(error.code(), Code::InvalidConfig, "case: {value}");
                let shown = format!("{value:?}");
                assert!(error.to_string().contains(name) && error.to_string().contains(&shown));
            }
            for value in ["1k", "10M", "1P", "1e6", "1Gi"] {
                assert!(annotated(name, value).is_ok(), "case: {value}");
            }
        }
        let egress = Some(limit(1_500_000, None));
        let expected = Limits {
            ingress: None,
            egress,
        };
        assert_eq!(
            annotated("kubernetes.io/egress-bandwidth", "1.5M"),
            Ok(expected)
        );
    }

    #[test]
    fn case_66_the_burst_of_containerd_is_no_burst() {
        for burst in [4_294_967_295_u64, u64::MAX] {
            let limits = runtime(&json!({"egressRate": 1_000_000, "egressBurst": burst}));
            assert_eq!(
                limits.unwrap().egress,
                Some(limit(1_000_000, None)),
                "case: {burst}"
            );
        }
    }

    #[test]
    fn case_67_a_rate_without_a_burst_has_the_own_one() {
        for set in [
            json!({"egressRate": 1_000_000}),
            json!({"egressRate": 1_000_000, "egressBurst": 0}),
        ] {
            assert_eq!(runtime(&set).unwrap().egress, Some(limit(1_000_000, None)));
        }
    }

    #[test]
    fn what_cannot_be_a_limit_is_code_7_and_names_the_field() {
        for (set, field, value) in [
            (json!({"ingressRate": -1}), "ingressRate", "-1"),
            (json!({"ingressRate": 1.5}), "ingressRate", "1.5"),
            (json!({"ingressRate": "10M"}), "ingressRate", "\"10M\""),
            (json!({"egressRate": 999}), "egressRate", "999"),
            (
                json!({"egressRate": u64::MAX}),
                "egressRate",
                "18446744073709551615",
            ),
            (
                json!({"egressRate": 1_000_000, "egressBurst": -1}),
                "egressBurst",
                "-1",
            ),
            (json!({"egressBurst": 800}), "egressBurst", "800"),
            (json!([]), "bandwidth", "[]"),
            (json!("10M"), "bandwidth", "\"10M\""),
        ] {
            let error = runtime(&set).unwrap_err();
            assert_eq!(error.code(), Code::InvalidConfig, "case: {set}");
            let text = error.to_string();
            assert!(
                text.contains("runtimeConfig.bandwidth") && text.contains(field),
                "{text}"
            );
            assert!(text.contains(value), "{text}");
        }
    }

    #[test]
    fn the_runtime_wins_over_the_annotation_of_the_same_direction() {
        let annotations = BTreeMap::from([
            (
                "kubernetes.io/ingress-bandwidth".to_owned(),
                "nonsense".to_owned(),
            ),
            ("kubernetes.io/egress-bandwidth".to_owned(), "3M".to_owned()),
        ]);
        let set = json!({"ingressRate": 1_000_000, "egressRate": 0});
        let limits = asked(Some(&set), &annotations).unwrap();
        assert_eq!(limits.ingress, Some(limit(1_000_000, None)));
        assert_eq!(limits.egress, Some(limit(3_000_000, None)));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_within_the_limits(rate: u64, burst: u64) {
            let limits = runtime(&json!({"ingressRate": rate, "ingressBurst": burst}));
            if let Ok(Limits { ingress: Some(Limit { rate: seen, burst: asked }), egress }) = limits {
                prop_assert_eq!(seen.bits(), rate);
                prop_assert!(egress.is_none());
                prop_assert!(asked.is_none_or(|bytes| u64::from(bytes) * 8 < burst + 8));
            }
        }
    }
}
