//! Values on the command line that are not one type's plain text.

use std::num::NonZeroU32;
use std::time::Duration;

use berth_types::{BlockSize, NamePattern, ReservationId, VlanId};
use ipnetwork::IpNetwork;
use jiff::Timestamp;

/// Name patterns; none of them stands for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patterns(pub(crate) Vec<NamePattern>);

/// A CIDR; the prefix length is never guessed.
pub(crate) fn cidr(raw: &str) -> Result<IpNetwork, String> {
    let parsed = raw.contains('/').then(|| raw.parse().ok()).flatten();
    parsed.ok_or_else(|| "write ADDRESS/PREFIX, as in 10.20.1.0/24".to_owned())
}

/// A VLAN identifier.
pub(crate) fn vlan(raw: &str) -> Result<VlanId, String> {
    let number = raw
        .parse::<u16>()
        .map_err(|_not_a_number| "use 1 to 4094")?;
    VlanId::try_from(number).map_err(|invalid| invalid.problem.to_owned())
}

/// A number of addresses per block.
pub(crate) fn block_size(raw: &str) -> Result<BlockSize, String> {
    let wanted = "use a power of two from 1 to 256";
    let number = raw.parse::<u32>().map_err(|_not_a_number| wanted)?;
    BlockSize::try_from(number).map_err(|invalid| invalid.problem.to_owned())
}

/// Name patterns with commas between them; nothing for everybody.
pub(crate) fn patterns(raw: &str) -> Result<Patterns, String> {
    if raw.is_empty() {
        return Ok(Patterns::default());
    }
    let parsed = raw.split(',').map(str::parse);
    let parsed: Result<_, berth_types::InvalidName> = parsed.collect();
    parsed.map(Patterns).map_err(|invalid| invalid.to_string())
}

/// `on` or `off`.
pub(crate) fn switch(raw: &str) -> Result<bool, String> {
    match raw {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("write on or off".to_owned()),
    }
}

/// An annotation: its name and what it says.
pub(crate) fn annotation(raw: &str) -> Result<(String, String), String> {
    let pair = raw.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or_else(|| "write NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// For how long something is waited for.
pub(crate) fn patience(raw: &str) -> Result<Duration, String> {
    let seconds = raw.parse::<u16>().ok();
    let seconds = seconds.filter(|seconds| (1..=600).contains(seconds));
    let seconds = seconds.ok_or_else(|| "use 1 to 600 seconds".to_owned())?;
    Ok(Duration::from_secs(u64::from(seconds)))
}

/// A time in whole seconds: a number with its unit, or 0.
pub(crate) fn seconds(raw: &str) -> Result<u32, String> {
    if raw == "0" {
        return Ok(0);
    }
    let wanted = "write a number with s, m, h or d, as in 30s or 7d";
    let unit = UNITS.iter().find_map(|(name, length)| {
        let number = raw.strip_suffix(name)?;
        Some((number.parse::<u32>(), length))
    });
    let (number, length) = unit.ok_or(wanted)?;
    let number = number.map_err(|_not_a_number| wanted)?;
    let most = u32::MAX / length;
    number
        .checked_mul(*length)
        .ok_or_else(|| format!("use at most {most} of that unit"))
}

/// Longest first; each with its length in seconds.
const UNITS: [(&str, u32); 4] = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)];

/// A time in its longest whole unit, as [`seconds`] reads it.
pub(crate) fn show_seconds(time: u32) -> String {
    let whole = UNITS
        .iter()
        .find(|(_, length)| time > 0 && time.is_multiple_of(*length));
    whole.map_or_else(
        || time.to_string(),
        |(name, length)| format!("{}{name}", time / length),
    )
}

/// How many, at least one.
pub(crate) fn count(raw: &str) -> Result<NonZeroU32, String> {
    raw.parse()
        .map_err(|_no_number| "use a number from 1".to_owned())
}

/// A moment that every machine understands in the same way.
pub(crate) fn moment(raw: &str) -> Result<Timestamp, String> {
    let parsed = raw.parse::<Timestamp>();
    parsed.map_err(|_no_moment| "write date, time and zone, as in 2026-11-20T03:14:00Z".to_owned())
}

/// A reservation: `NAMESPACE/NAME` for a workload's, or its full name.
pub(crate) fn reservation(raw: &str) -> Result<ReservationId, String> {
    let parts: Vec<_> = raw.split('/').collect();
    let full = match parts.as_slice() {
        [namespace, name] => format!("{namespace}/workload/{name}"),
        [_, "workload", _] | [_, "pod", _, _] => raw.to_owned(),
        _ => return Err("write NAMESPACE/NAME, or NAMESPACE/pod/POD/INTERFACE".to_owned()),
    };
    full.parse::<ReservationId>()
        .map_err(|invalid| invalid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_is_shown_as_it_is_written() {
        for (raw, time) in [
            ("0", 0),
            ("30s", 30),
            ("5m", 300),
            ("12h", 43200),
            ("7d", 604_800),
        ] {
            assert_eq!(seconds(raw), Ok(time), "case: {raw}");
            assert_eq!(show_seconds(time), raw);
        }
        for bad in ["", "30", "-1s", "1.5h", "d", "7 d", "99999999d", "1w"] {
            assert!(seconds(bad).is_err(), "case: {bad}");
        }
    }

    #[test]
    fn a_reservation_is_a_workloads_unless_it_says_otherwise() {
        let id = |raw: &str| reservation(raw).map(|id| id.to_string());
        assert_eq!(id("shop/cart"), Ok("shop/workload/cart".to_owned()));
        assert_eq!(
            id("shop/workload/cart"),
            Ok("shop/workload/cart".to_owned())
        );
        assert_eq!(id("shop/pod/c-0/eth0"), Ok("shop/pod/c-0/eth0".to_owned()));
        let long = format!("shop/{}", "x".repeat(300));
        for bad in [
            "shop",
            "shop/",
            "/cart",
            "a/b/c",
            "Shop/cart",
            "shop/pod/x",
            &long,
        ] {
            assert!(id(bad).is_err(), "case: {bad}");
        }
    }

    #[test]
    fn a_subnet_has_a_prefix_length() {
        assert!(cidr("10.20.1.0/24").is_ok());
        for bad in ["10.20.1.0", "10.20.1.0/33", "10.20.1/24", "/24", "x/24"] {
            assert!(cidr(bad).is_err(), "case: {bad}");
        }
    }
}
