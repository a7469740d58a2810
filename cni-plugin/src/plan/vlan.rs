//! The VLAN of an interface: the configuration's or the pool's.

use berth_types::{Subnet, VlanId};

use crate::spec::CniError;

/// The VLAN of an interface with addresses of these subnets; `None` when neither names one.
///
/// # Errors
/// Code 7 when they contradict each other, naming both.
pub fn vlan<'a>(
    asked: Option<VlanId>,
    subnets: impl IntoIterator<Item = &'a Subnet>,
) -> Result<Option<VlanId>, CniError> {
    subnets.into_iter().try_fold(asked, |known, subnet| {
        match (known, subnet.vlan) {
            (Some(known), Some(vlan)) if known != vlan => {
                let message = format!("vlan: {known}, but subnet {} is in VLAN {vlan}", subnet.cidr);
                let remedy = "remove \"vlan\" from the configuration: the pool knows it; see `cnictl pool show`";
                Err(CniError::new(crate::spec::Code::InvalidConfig, message).details(remedy))
            }
            (known, vlan) => Ok(known.or(vlan)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(cidr: &str, vlan: Option<u16>) -> Subnet {
        Subnet {
            cidr: cidr.parse().unwrap(),
            gateway: None,
            range: None,
            exclude: vec![],
            vlan: vlan.map(|vlan| vlan.try_into().unwrap()),
            routes: vec![],
        }
    }

    #[test]
    fn the_configuration_or_the_pool_names_the_vlan_and_they_agree() {
        let asked = |vlan: u16| Some(VlanId::try_from(vlan).unwrap());
        let (plain, tagged) = (subnet("10.0.0.0/24", None), subnet("10.0.1.0/24", Some(7)));
        let six = subnet("2001:db8::/64", Some(8));
        assert_eq!(vlan(None, [&plain]), Ok(None));
        assert_eq!(vlan(None, [&plain, &tagged]), Ok(asked(7)));
        assert_eq!(vlan(asked(7), [&plain, &tagged]), Ok(asked(7)));
        assert_eq!(vlan(asked(9), [&plain]), Ok(asked(9)));
        for (wanted, subnets) in [(asked(9), [&plain, &tagged]), (None, [&tagged, &six])] {
            let error = vlan(wanted, subnets).unwrap_err().to_string();
            assert!(error.starts_with("vlan: "), "{error}");
        }
    }
}
