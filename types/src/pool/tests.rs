use proptest::prelude::*;

use super::*;
use crate::address::{AddressRange, address_like, number};

fn subnet(cidr: &str) -> Subnet {
    let cidr = cidr.parse().unwrap();
    Subnet {
        cidr,
        gateway: None,
        range: None,
        exclude: vec![],
        vlan: None,
        routes: vec![],
    }
}

fn with(cidr: &str, gateway: &str, range: &str, exclude: &[&str]) -> Subnet {
    Subnet {
        gateway: (!gateway.is_empty()).then(|| gateway.parse().unwrap()),
        range: (!range.is_empty()).then(|| range.parse().unwrap()),
        exclude: exclude.iter().map(|e| e.parse().unwrap()).collect(),
        ..subnet(cidr)
    }
}

#[test]
fn case_60_a_subnet_that_cannot_be_is_refused_with_the_field() {
    let cases = [
        ("host bits", with("10.20.1.5/24", "", "", &[]), "subnet"),
        ("/31", subnet("10.20.1.0/31"), "subnet"),
        ("/32", subnet("10.20.1.0/32"), "subnet"),
        ("/127", subnet("2001:db8::/127"), "subnet"),
        ("/128", subnet("2001:db8::/128"), "subnet"),
        ("/0", subnet("0.0.0.0/0"), "subnet"),
        ("this network", subnet("0.0.0.0/8"), "subnet"),
        ("loopback", subnet("127.0.0.0/24"), "subnet"),
        ("multicast", subnet("239.1.0.0/16"), "subnet"),
        ("IPv4-mapped", subnet("::ffff:10.20.1.0/120"), "subnet"),
        ("IPv6 loopback", subnet("::/64"), "subnet"),
        ("IPv6 link-local", subnet("fe80::/64"), "subnet"),
        ("IPv6 multicast", subnet("ff02::/64"), "subnet"),
        (
            "gateway outside",
            with("10.20.1.0/24", "10.20.2.1", "", &[]),
            "gateway",
        ),
        (
            "gateway is broadcast",
            with("10.20.1.0/24", "10.20.1.255", "", &[]),
            "gateway",
        ),
        (
            "gateway of other family",
            with("10.20.1.0/24", "2001:db8::1", "", &[]),
            "gateway",
        ),
        (
            "range outside",
            with("10.20.1.0/24", "", "10.20.1.9-10.20.2.9", &[]),
            "range",
        ),
        (
            "exclusion outside",
            with("10.20.1.0/24", "", "", &["10.21.0.0/24"]),
            "exclude",
        ),
        (
            "nothing left",
            with("10.20.1.0/30", "10.20.1.1", "", &["10.20.1.2"]),
            "subnet",
        ),
    ];
    for (case, subnet, field) in cases {
        assert_eq!(
            subnet.validate().expect_err(case).field,
            field,
            "case: {case}"
        );
    }
    assert!(
        "10.20.1.9-10.20.1.3".parse::<AddressRange>().is_err(),
        "a range backwards"
    );
    assert_eq!(
        with("10.20.1.0/24", "10.20.1.1", "", &[]).validate(),
        Ok(())
    );
    assert_eq!(
        with("2001:db8::/64", "2001:db8::1", "", &[]).validate(),
        Ok(())
    );
}

#[test]
fn subnets_of_one_pool_do_not_overlap() {
    let pool = |cidrs: &[&str]| {
        PoolRecord::new(
            cidrs.iter().map(|c| subnet(c)).collect(),
            BlockSize::default(),
        )
    };
    assert!(
        pool(&["10.20.1.0/24", "10.20.1.128/25"])
            .validate()
            .is_err()
    );
    assert!(pool(&["10.20.1.0/24", "10.20.2.0/24"]).validate().is_ok());
    assert!(pool(&[]).validate().is_err());
}

#[test]
fn network_broadcast_gateway_and_exclusions_are_not_usable() {
    let subnet = with(
        "10.20.1.0/24",
        "10.20.1.1",
        "10.20.1.0-10.20.1.99",
        &["10.20.1.16/28"],
    );
    for (address, usable) in [
        ("10.20.1.0", false),
        ("10.20.1.1", false),
        ("10.20.1.2", true),
        ("10.20.1.16", false),
        ("10.20.1.31", false),
        ("10.20.1.32", true),
        ("10.20.1.99", true),
        ("10.20.1.100", false),
        ("10.20.1.255", false),
        ("10.20.2.5", false),
    ] {
        assert_eq!(
            subnet.is_usable(address.parse().unwrap()),
            usable,
            "case: {address}"
        );
    }
    assert_eq!(subnet.size(), 100 - 2 - 16);
}

#[test]
fn case_61_blocks_are_aligned_by_address_and_clipped_by_use() {
    let subnet = with("10.20.1.0/24", "", "10.20.1.10-10.20.1.40", &[]);
    let firsts: Vec<_> = subnet
        .blocks(BlockSize::default())
        .map(|b| b.first.to_string())
        .collect();
    assert_eq!(firsts, ["10.20.1.0", "10.20.1.16", "10.20.1.32"]);
    let block = Block::containing("10.20.1.17".parse().unwrap(), BlockSize::default());
    assert_eq!(block.first.to_string(), "10.20.1.16");
    assert_eq!(block.last().to_string(), "10.20.1.31");
    assert_eq!(block.addresses().count(), 16);
}

#[test]
fn a_block_size_is_a_power_of_two() {
    for bad in [0, 3, 17, 512] {
        assert!(BlockSize::try_from(bad).is_err(), "case: {bad}");
    }
    assert!(BlockSize::try_from(16).is_ok());
}

#[test]
fn case_53_a_vlan_is_1_to_4094() {
    for bad in [0_u16, 4095, 5000] {
        assert!(VlanId::try_from(bad).is_err(), "case: {bad}");
    }
    assert!(VlanId::try_from(120).is_ok());
}

#[test]
fn an_exclusion_of_any_size_is_passed_over_at_once() {
    let subnet = with("2001:db8::/64", "", "", &["2001:db8::/65"]);
    let first = subnet.blocks(BlockSize::default()).next().unwrap();
    assert_eq!(first.first.to_string(), "2001:db8:0:0:8000::");
    let subnet = with(
        "10.20.1.0/24",
        "",
        "",
        &["10.20.1.16-10.20.1.50", "10.20.1.4"],
    );
    let firsts: Vec<_> = subnet
        .blocks(BlockSize::default())
        .map(|b| b.first)
        .collect();
    assert_eq!(
        firsts.len(),
        14,
        "two blocks are excluded as a whole: {firsts:?}"
    );
}

#[test]
fn a_pool_has_at_most_64_subnets() {
    let subnets = |n: u8| (0..n).map(|i| subnet(&format!("10.{i}.0.0/24"))).collect();
    assert_eq!(
        PoolRecord::new(subnets(64), BlockSize::default()).validate(),
        Ok(())
    );
    assert!(
        PoolRecord::new(subnets(65), BlockSize::default())
            .validate()
            .is_err()
    );
}

#[test]
fn a_v6_subnet_of_any_size_costs_nothing() {
    let subnet = subnet("2001:db8::/64");
    assert_eq!(subnet.validate(), Ok(()));
    assert_eq!(subnet.blocks(BlockSize::default()).take(3).count(), 3);
    assert_eq!(subnet.size(), u64::MAX);
}

proptest! {
    #[test]
    fn the_size_is_the_number_of_usable_addresses(
        gateway in 0_u8..=255, first in 0_u8..=255, length in 0_u8..=255,
        excluded in proptest::collection::vec((0_u8..=255, 0_u8..=40), 0..4),
    ) {
        let at = |n: u8| format!("10.20.1.{n}");
        let range = format!("{}-{}", at(first), at(first.saturating_add(length)));
        let exclude: Vec<_> = excluded.iter()
            .map(|(from, n)| format!("{}-{}", at(*from), at(from.saturating_add(*n)))).collect();
        let exclude: Vec<_> = exclude.iter().map(String::as_str).collect();
        let subnet = with("10.20.1.0/24", &at(gateway), &range, &exclude);
        let counted = subnet.whole();
        let counted = (number(counted.first())..=number(counted.last()))
            .filter_map(|n| address_like(counted.first(), n))
            .filter(|a| subnet.is_usable(*a)).count();
        if subnet.is_host(at(gateway).parse().unwrap()) {
            prop_assert_eq!(subnet.size(), u64::try_from(counted).unwrap());
            prop_assert_eq!(subnet.usable_in(subnet.whole()).count(), counted);
        }
    }
}
