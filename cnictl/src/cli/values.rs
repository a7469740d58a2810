//! Values on the command line that are not one type's plain text.

use berth_types::{BlockSize, VlanId};
use ipnetwork::IpNetwork;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_has_a_prefix_length() {
        assert!(cidr("10.20.1.0/24").is_ok());
        for bad in ["10.20.1.0", "10.20.1.0/33", "10.20.1/24", "/24", "x/24"] {
            assert!(cidr(bad).is_err(), "case: {bad}");
        }
    }
}
