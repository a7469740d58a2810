//! Pools that cannot be, and pools that are small: cases 60 and 61.

use std::net::IpAddr;

use e2e::plugin::cnictl;

use crate::ground::{Ground, Kind, WIDE, ip};

#[test]
fn case_60_a_pool_that_cannot_work_is_never_made() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let store = format!("embedded:{}", ground.folder().display());
    let cases: [(&str, &[&str], &str); 10] = [
        ("/31", &["--subnet", "10.30.0.0/31"], "10.30.0.0/31"),
        ("/32", &["--subnet", "10.30.0.0/32"], "10.30.0.0/32"),
        ("/127", &["--subnet", "2001:db8::/127"], "2001:db8::/127"),
        ("/128", &["--subnet", "2001:db8::/128"], "2001:db8::/128"),
        ("host bits", &["--subnet", "10.30.0.7/24"], "10.30.0.7/24"),
        (
            "a range the wrong way round",
            &["--subnet", "10.30.0.0/24", "--range", "10.30.0.9-10.30.0.5"],
            "10.30.0.9-10.30.0.5",
        ),
        (
            "a range outside",
            &["--subnet", "10.30.0.0/24", "--range", "10.31.0.1-10.31.0.9"],
            "10.31.0.1-10.31.0.9",
        ),
        (
            "a gateway outside",
            &["--subnet", "10.30.0.0/24", "--gateway", "10.31.0.1"],
            "10.31.0.1",
        ),
        (
            "overlaps another pool",
            &["--subnet", "10.20.0.0/16"],
            "10.20.1.0/24",
        ),
        (
            "overlaps itself",
            &["--subnet", "10.30.0.0/24", "--subnet", "10.30.0.128/25"],
            "10.30.0.128/25",
        ),
    ];
    for (case, arguments, named) in cases {
        let mut command = cnictl(ground.node(), &store);
        let ran = command
            .args(["pool", "create", "bad"])
            .args(arguments)
            .output();
        let ran = ran.expect("start cnictl");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(!ran.status.success(), "case: {case}");
        assert!(said.contains(named), "case: {case}: {said}");
    }
    let pools = ground.cnictl(&["pool", "list", "-o", "json"]);
    assert!(!pools.contains("bad"), "{pools}");
}

/// Allocates until the pool says that it is exhausted.
fn all_of(ground: &Ground) -> Vec<IpAddr> {
    let mut given = Vec::new();
    let mut containers = Vec::new();
    loop {
        let container = ground.container(&format!("c{}", given.len()));
        let reply = container.add();
        if !reply.status.success() {
            assert_eq!(reply.failure().code, 101, "{reply:?}");
            given.sort();
            return given;
        }
        given.push(reply.address());
        containers.push(container);
    }
}

#[test]
fn case_61_blocks_are_clipped_to_ranges_and_exclusions() {
    let of_last = |numbers: &[u8]| -> Vec<IpAddr> {
        numbers
            .iter()
            .map(|n| IpAddr::from([10, 20, 1, *n]))
            .collect()
    };
    let cases: [(&[&str], Vec<IpAddr>); 4] = [
        (
            &["--range", "10.20.1.14-10.20.1.18"],
            of_last(&[14, 15, 16, 17, 18]),
        ),
        (&["--range", "10.20.1.1-10.20.1.3"], of_last(&[2, 3])),
        (
            &[
                "--range",
                "10.20.1.30-10.20.1.33",
                "--exclude",
                "10.20.1.31-10.20.1.32",
            ],
            of_last(&[30, 33]),
        ),
        (
            &["--range", "10.20.1.250-10.20.1.255"],
            of_last(&[250, 251, 252, 253, 254]),
        ),
    ];
    for (arguments, expected) in cases {
        let ground = Ground::new(Kind::Embedded, &[WIDE, arguments].concat());
        assert_eq!(all_of(&ground), expected, "{arguments:?}");
    }
}

#[test]
fn case_60_the_smallest_subnet_works() {
    let subnet = ["--subnet", "10.20.1.0/30", "--gateway", "10.20.1.1"];
    let ground = Ground::new(Kind::Embedded, &subnet);
    assert_eq!(all_of(&ground), [ip("10.20.1.2")]);
}
