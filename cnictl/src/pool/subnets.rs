//! Subnets from the command line: every option finds the subnet it belongs to. Pure.

use std::fmt;

use berth_types::Subnet;

use crate::cli::SubnetArgs;
use crate::error::Failure;

/// The subnets, each with its gateway, range and exclusions.
///
/// # Errors
/// [`Failure::Usage`] for an option that lies in none of them, or comes twice for one; a range or
/// an exclusion that lies in one only in part is left for the pool's own check.
pub(crate) fn assemble(args: &SubnetArgs) -> Result<Vec<Subnet>, Failure> {
    let SubnetArgs {
        subnets,
        gateways,
        ranges,
        excludes,
        vlan,
    } = args;
    let mut assembled: Vec<_> = subnets
        .iter()
        .map(|cidr| Subnet {
            cidr: *cidr,
            gateway: None,
            range: None,
            exclude: Vec::new(),
            vlan: *vlan,
            routes: Vec::new(),
        })
        .collect();
    for gateway in gateways {
        let around = assembled
            .iter_mut()
            .find(|subnet| subnet.cidr.contains(*gateway));
        let subnet = around.ok_or_else(|| stray("--gateway", gateway))?;
        if let Some(first) = subnet.gateway.replace(*gateway) {
            return Err(twice("--gateway", gateway, &first, subnet));
        }
    }
    for range in ranges {
        let around = assembled
            .iter_mut()
            .find(|subnet| subnet.whole().overlaps(range));
        let subnet = around.ok_or_else(|| stray("--range", range))?;
        if let Some(first) = subnet.range.replace(*range) {
            return Err(twice("--range", range, &first, subnet));
        }
    }
    for exclude in excludes {
        let mut found = false;
        for subnet in assembled
            .iter_mut()
            .filter(|subnet| subnet.whole().overlaps(exclude))
        {
            subnet.exclude.push(*exclude);
            found = true;
        }
        if !found {
            return Err(stray("--exclude", exclude));
        }
    }
    Ok(assembled)
}

fn stray(option: &str, value: &dyn fmt::Display) -> Failure {
    Failure::Usage {
        problem: format!("{option} {value}: lies in none of the subnets given"),
        hint: "correct it, or give the --subnet that contains it; nothing was changed".into(),
    }
}

fn twice(
    option: &str,
    value: &dyn fmt::Display,
    first: &dyn fmt::Display,
    subnet: &Subnet,
) -> Failure {
    Failure::Usage {
        problem: format!(
            "{option} {value}: subnet {} has {first} already",
            subnet.cidr
        ),
        hint: format!("give one {option} per subnet; nothing was changed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(options: &[(&str, &str)]) -> SubnetArgs {
        let mut args = SubnetArgs::default();
        for (option, value) in options {
            match *option {
                "subnet" => args.subnets.push(value.parse().unwrap()),
                "gateway" => args.gateways.push(value.parse().unwrap()),
                "range" => args.ranges.push(value.parse().unwrap()),
                _ => args.excludes.push(value.parse().unwrap()),
            }
        }
        args
    }

    const TWO: [(&str, &str); 2] = [("subnet", "10.20.1.0/24"), ("subnet", "10.20.2.0/24")];

    #[test]
    fn every_option_goes_to_the_subnet_around_it() {
        let more = [
            ("gateway", "10.20.2.1"),
            ("range", "10.20.1.10-10.20.1.20"),
            ("exclude", "10.20.1.15"),
            ("exclude", "10.20.0.0/16"),
        ];
        let [one, two] = assemble(&args(&[&TWO[..], &more].concat()))
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!((one.gateway, two.gateway), (None, "10.20.2.1".parse().ok()));
        assert_eq!(
            (one.range, two.range),
            ("10.20.1.10-10.20.1.20".parse().ok(), None)
        );
        assert_eq!((one.exclude.len(), two.exclude.len()), (2, 1));
    }

    #[test]
    fn an_option_without_a_subnet_is_named() {
        for (option, value) in [
            ("gateway", "10.20.3.1"),
            ("gateway", "2001:db8::1"),
            ("range", "10.20.3.1-10.20.3.9"),
            ("exclude", "10.20.3.0/24"),
        ] {
            let error = assemble(&args(&[&TWO[..], &[(option, value)]].concat())).unwrap_err();
            assert!(
                error.to_string().starts_with(&format!("--{option} ")),
                "{error}"
            );
        }
    }

    #[test]
    fn two_gateways_or_ranges_of_one_subnet_are_refused() {
        for (option, first, second) in [
            ("gateway", "10.20.1.1", "10.20.1.2"),
            ("range", "10.20.1.1-10.20.1.9", "10.20.1.20-10.20.1.29"),
        ] {
            let twice = [(option, first), (option, second)];
            let error = assemble(&args(&[&TWO[..], &twice].concat())).unwrap_err();
            assert!(error.to_string().contains(second), "{error}");
        }
    }
}
