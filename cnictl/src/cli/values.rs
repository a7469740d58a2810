//! Values on the command line that are not one type's plain text.

use berth_types::{BlockSize, VlanId};
use ipnetwork::IpNetwork;
use jiff::SignedDuration;

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

/// A time in whole seconds, with a unit: `30s`, `5m`, `1h 30m`.
pub(crate) fn whole_seconds(raw: &str) -> Result<u32, String> {
    let parsed = raw.parse::<SignedDuration>().ok();
    let whole = parsed.filter(|time| time.subsec_nanos() == 0);
    whole
        .and_then(|time| u32::try_from(time.as_secs()).ok())
        .ok_or_else(|| {
            "write whole seconds, minutes or hours with their unit, as in 30s".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_no_fraction_of_a_second() {
        for (raw, seconds) in [("0s", 0), ("30s", 30), ("5m", 300), ("1h 30m", 5400)] {
            assert_eq!(whole_seconds(raw), Ok(seconds), "case: {raw}");
        }
        for bad in ["", "30", "1.5s", "-3s", "s", "200000h", "9999999h"] {
            let result = whole_seconds(bad);
            assert_eq!(result.is_err(), bad != "200000h", "case: {bad}: {result:?}");
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
