//! Kubernetes quantities: `10M`, `1.5Gi`, `2e6`. Pure.

/// A quantity that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoNumber {
    /// It is not written as one.
    Malformed,
    /// It is below zero.
    Negative,
    /// It is beyond what is counted here.
    Huge,
}

/// The whole number that a quantity comes to, rounded up as Kubernetes does.
///
/// Digits with at most one point, then a power of 1,000 (`n u m k M G T P E`), of 1,024 (`Ki` to
/// `Ei`) or of ten (`e3`, `E-3`).
pub(super) fn whole(raw: &str) -> Result<u64, NoNumber> {
    let (negative, unsigned) = match raw.as_bytes().first() {
        Some(b'-') => (true, raw.get(1..).unwrap_or_default()),
        Some(b'+') => (false, raw.get(1..).unwrap_or_default()),
        _ => (false, raw),
    };
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let end = unsigned.find(|c| !is_number(c)).unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at_checked(end).ok_or(NoNumber::Malformed)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return Err(NoNumber::Malformed);
    }
    let unit = unit(suffix).ok_or(NoNumber::Malformed)?;
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    if negative {
        return Err(NoNumber::Negative);
    }
    let digits: u128 = digits.parse().map_err(|_overflow| NoNumber::Huge)?;
    let places = i32::try_from(fraction.len()).map_err(|_long| NoNumber::Huge)?;
    scaled(digits, places, unit).ok_or(NoNumber::Huge)
}

/// What a suffix multiplies by: `binary` times a power of ten.
#[derive(Clone, Copy)]
struct Unit {
    binary: u128,
    ten: i32,
}

fn unit(suffix: &str) -> Option<Unit> {
    let ten = |ten| Some(Unit { binary: 1, ten });
    let binary = |shift: u32| {
        Some(Unit {
            binary: 1 << shift,
            ten: 0,
        })
    };
    match suffix {
        "n" => ten(-9),
        "u" => ten(-6),
        "m" => ten(-3),
        "" => ten(0),
        "k" => ten(3),
        "M" => ten(6),
        "G" => ten(9),
        "T" => ten(12),
        "P" => ten(15),
        "E" => ten(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        exponent => ten(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    }
}

/// `digits` with its last `places` behind the point, times the unit, rounded up.
fn scaled(digits: u128, places: i32, unit: Unit) -> Option<u64> {
    let Unit { binary, ten } = unit;
    let digits = digits.checked_mul(binary)?;
    let shift = ten.checked_sub(places)?;
    let power = 10_u128.checked_pow(shift.unsigned_abs());
    let number = match power {
        Some(power) if shift >= 0 => digits.checked_mul(power)?,
        Some(power) => digits.div_ceil(power),
        // Less than any number that is left when all its digits are behind the point.
        None if shift < 0 => 1,
        None => return None,
    };
    u64::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (raw, number) in [
            ("1", 1),
            ("+1k", 1_000),
            ("10M", 10_000_000),
            ("1.5M", 1_500_000),
            ("1.M", 1_000_000),
            (".5G", 500_000_000),
            ("1P", 1_000_000_000_000_000),
            ("1E", 1_000_000_000_000_000_000),
            ("1Ki", 1_024),
            ("1.5Mi", 1_572_864),
            ("0.3Ki", 308),
            ("2e6", 2_000_000),
            ("2E6", 2_000_000),
            ("2500e-3", 3),
            ("1e-99", 1),
            ("1500m", 2),
            ("1n", 1),
            ("0", 0),
            ("-0", 0),
            ("00012", 12),
        ] {
            assert_eq!(whole(raw), Ok(number), "case: {raw}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_told_apart() {
        for raw in [
            "",
            "-",
            ".",
            "M",
            "10Q",
            "10 M",
            " 10M",
            "10M ",
            "1.2.3",
            "1e",
            "10mb",
            "10K",
            "ten",
            "0x10",
            "1e1.5",
            "1Mi2",
            "--1",
            "10ki",
            "\u{661}0M",
        ] {
            assert_eq!(whole(raw), Err(NoNumber::Malformed), "case: {raw:?}");
        }
        assert_eq!(whole("-1"), Err(NoNumber::Negative));
        for raw in [
            "100E",
            "1e40",
            "1e999999999",
            "999999999999999999999999999999999999999999",
        ] {
            assert_eq!(whole(raw), Err(NoNumber::Huge), "case: {raw:?}");
        }
    }

    proptest! {
        #[test]
        fn what_has_no_digit_is_no_number(raw in "[^0-9]{0,40}") {
            prop_assert_eq!(whole(&raw), Err(NoNumber::Malformed));
        }

        #[test]
        fn whatever_is_written_is_a_number_or_none(raw in "[-+]?[0-9.]{0,40}[a-zA-Z0-9+-]{0,12}") {
            let negative = whole(&raw) == Err(NoNumber::Negative);
            prop_assert!(!negative || raw.starts_with('-'));
        }

        #[test]
        fn a_plain_number_is_itself(number: u64) {
            prop_assert_eq!(whole(&number.to_string()), Ok(number));
        }

        #[test]
        fn a_suffix_multiplies(number in 0_u64..1_000_000, power in 0_usize..5) {
            let suffix = ["", "k", "M", "G", "T"][power];
            let unit = 1_000_u64.pow(u32::try_from(power).unwrap());
            prop_assert_eq!(whole(&format!("{number}{suffix}")), Ok(number * unit));
        }
    }
}
