//! Whether limits still stand.

use berth_types::Incarnation;

use super::{Rate, device};
use crate::host::{Netlink, NetlinkError};

/// The rates that an interface is limited to, in bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Of what arrives, when it is led through the limit.
    pub ingress: Option<u64>,
    /// Of what leaves.
    pub egress: Option<u64>,
}

/// Looks at the limits of the interface `link` of that life.
///
/// # Errors
/// [`NetlinkError`].
pub fn observe(
    netlink: &mut Netlink,
    link: u32,
    incarnation: &Incarnation,
) -> Result<Seen, NetlinkError> {
    let buckets = netlink.buckets()?;
    let rate = |link| {
        let bucket = buckets.iter().find(|bucket| bucket.link == link);
        bucket.map(|bucket| bucket.rate)
    };
    let device = netlink.link_by_name(&device(incarnation))?;
    let led = netlink.led_to(link)?;
    let ingress = device.filter(|device| device.up && led.contains(&device.index));
    Ok(Seen {
        ingress: ingress.and_then(|device| rate(device.index)),
        egress: rate(link),
    })
}

/// The first direction that is not limited to its rate, as a person would say it. Pure.
pub fn missing(ingress: Option<Rate>, egress: Option<Rate>, seen: Seen) -> Option<String> {
    let wanted = [
        ("arrives", ingress, seen.ingress),
        ("leaves", egress, seen.egress),
    ];
    wanted.into_iter().find_map(|(what, wanted, seen)| {
        let wanted = wanted.filter(|rate| seen != Some(rate.bytes()))?;
        let bits = wanted.bits();
        Some(match seen {
            None => format!("has no limit of {bits} bit/s on what {what}"),
            Some(other) => format!(
                "has a limit of {} bit/s on what {what}, not of {bits}",
                other.saturating_mul(8)
            ),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_gone_or_another_is_missing() {
        let rate = Rate::from_bits(10_000_000);
        let stands = Seen {
            ingress: Some(1_250_000),
            egress: Some(1_250_000),
        };
        assert_eq!(missing(rate, rate, stands), None);
        assert_eq!(
            missing(None, None, stands),
            None,
            "others may limit as well"
        );
        let gone = Seen {
            ingress: None,
            ..stands
        };
        let said = missing(rate, rate, gone).unwrap();
        assert!(
            said.contains("10000000") && said.contains("arrives"),
            "{said}"
        );
        let other = Seen {
            egress: Some(1_250_001),
            ..stands
        };
        let said = missing(rate, rate, other).unwrap();
        assert!(
            said.contains("10000008") && said.contains("leaves"),
            "{said}"
        );
    }

    #[test]
    fn bits_that_make_no_whole_byte_are_not_missing() {
        let rate = Rate::from_bits(1_001);
        let seen = Seen {
            ingress: None,
            egress: Some(125),
        };
        assert_eq!(missing(None, rate, seen), None);
    }
}
