//! Each bad input gets an error that names the value and what would be right, and writes nothing.

use crate::support::{Site, finish, program};

/// What is asked for, what the error names, what it advises.
type Case = (&'static str, &'static str, &'static str);

/// Of `pool create` alone.
const OPTIONS: [Case; 9] = [
    ("x/y --subnet 10.9.0.0/24", "x/y", "[a-z0-9-]"),
    ("Blue --subnet 10.9.0.0/24", "Blue", "[a-z0-9-]"),
    ("p --subnet 10.9.0.0/24 --vlan 0", "'0'", "1 to 4094"),
    ("p --subnet 10.9.0.0/24 --vlan 4095", "4095", "1 to 4094"),
    ("p --subnet 10.9.0.0/24 --vlan -1", "-1", "--help"),
    (
        "p --subnet 10.9.0.0/24 --block-size 17",
        "17",
        "power of two",
    ),
    (
        "p --subnet 10.9.0.0/24 --block-size 0",
        "'0'",
        "power of two",
    ),
    (
        "p --subnet 10.9.0.0/24 --block-size 512",
        "512",
        "power of two",
    ),
    ("p", "--subnet", "--help"),
];

/// After `--subnet`, of `pool create` and of `pool extend`.
const SUBNETS: [Case; 20] = [
    ("10.9.0.5/24", "subnet 10.9.0.5/24", "network address"),
    ("10.9.0.0", "10.9.0.0", "ADDRESS/PREFIX"),
    ("10.9.0.0/33", "10.9.0.0/33", "ADDRESS/PREFIX"),
    ("10.9.0.0/31", "subnet 10.9.0.0/31", "/8 to /30"),
    ("10.9.0.0/32", "subnet 10.9.0.0/32", "/8 to /30"),
    ("2001:db8::/127", "subnet 2001:db8::/127", "/32 to /126"),
    ("2001:db8::1/128", "subnet 2001:db8::1/128", "/32 to /126"),
    ("0.0.0.0/0", "subnet 0.0.0.0/0", "/8 to /30"),
    (
        "10.9.0.0/24 --gateway 10.9.1.1",
        "--gateway 10.9.1.1",
        "--subnet",
    ),
    (
        "10.9.0.0/24 --gateway 10.9.0.255",
        "gateway 10.9.0.255",
        "host",
    ),
    (
        "10.9.0.0/24 --gateway 010.9.0.1",
        "010.9.0.1",
        "leading zeros",
    ),
    (
        "10.9.0.0/24 --gateway 2001:db8::1",
        "--gateway 2001:db8::1",
        "--subnet",
    ),
    (
        "10.9.0.0/24 --range 10.9.0.9-10.9.0.3",
        "10.9.0.9-10.9.0.3",
        "in order",
    ),
    (
        "10.9.0.0/24 --range 10.9.0.9-10.9.1.3",
        "range 10.9.0.9",
        "outside",
    ),
    (
        "10.9.0.0/24 --range 10.8.0.1-10.8.0.3",
        "--range 10.8.0.1",
        "--subnet",
    ),
    (
        "10.9.0.0/24 --range 10.9.0.1-2001:db8::1",
        "10.9.0.1-2001",
        "one family",
    ),
    (
        "10.9.0.0/24 --exclude 10.8.0.0/24",
        "--exclude 10.8.0.0",
        "--subnet",
    ),
    (
        "10.9.0.0/24 --exclude 10.9.0.0/24",
        "subnet 10.9.0.0/24",
        "no usable",
    ),
    (
        "10.9.0.0/24 --exclude web-1",
        "web-1",
        "IPv4 or IPv6 address",
    ),
    (
        "10.9.0.0/24 --subnet 10.9.0.128/25",
        "subnet 10.9.0.128/25",
        "overlaps",
    ),
];

fn must_be_refused(site: &Site, line: &str, parts: [&str; 2]) {
    let before = site.content();
    let ran = site.run(line);
    assert_eq!((ran.code, ran.out.as_str()), (64, ""), "{line}: {ran:?}");
    assert!(ran.err.starts_with("error: "), "{line}: {ran:?}");
    for part in parts {
        assert!(ran.err.contains(part), "{line}: {part:?} in {ran:?}");
    }
    assert_eq!(site.content(), before, "{line}");
}

#[test]
fn case_60_a_subnet_that_cannot_be_is_refused_with_field_value_and_remedy() {
    let site = Site::with_pool();
    for (words, named, advice) in SUBNETS {
        // Extending a pool that exists, so that nothing else is wrong.
        for verb in ["create more", "extend prod"] {
            let line = format!("pool {verb} --subnet {words}");
            must_be_refused(&site, &line, [named, advice]);
        }
    }
}

#[test]
fn a_pool_with_a_wrong_name_or_option_is_refused_with_field_value_and_remedy() {
    let site = Site::with_pool();
    for (words, named, advice) in OPTIONS {
        must_be_refused(&site, &format!("pool create {words}"), [named, advice]);
    }
    let long = "a".repeat(300);
    let line = format!("pool create {long} --subnet 10.9.0.0/24");
    must_be_refused(&site, &line, [&long, "1 to 63"]);
}

#[test]
fn an_overlap_with_another_pool_names_both() {
    let site = Site::with_pool();
    site.done("pool create spare --subnet 10.30.0.0/24");
    let before = site.content();
    for line in [
        "pool create more --subnet 10.9.0.0/24 --subnet 10.20.0.0/16",
        "pool create more --subnet 10.20.1.128/25",
        "pool extend spare --subnet 10.20.1.0/25",
    ] {
        let ran = site.run(line);
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        let words = "overlaps subnet 10.20.1.0/24 of pool prod\n  hint: ";
        assert!(ran.err.contains(words), "{line}: {ran:?}");
    }
    assert_eq!(site.content(), before);
}

#[test]
fn case_61_a_range_need_not_fit_blocks() {
    let site = Site::new();
    site.done("pool create prod --subnet 10.20.1.0/24 --range 10.20.1.20-10.20.1.22");
    let (_, row) = site.json("pool show prod");
    assert_eq!(row["size"], 3);
}

#[test]
fn a_wrong_address_is_named() {
    let site = Site::with_pool();
    for (line, value) in [
        ("ip show 10.20.1.300", "10.20.1.300"),
        ("ip show 10.20.1.7/24", "10.20.1.7/24"),
        ("release 010.020.001.007 --yes", "010.020.001.007"),
        ("ip release web-1 --yes", "web-1"),
        ("ip list --pool A", "A"),
        ("ip list --node a/b", "a/b"),
    ] {
        let ran = site.run(line);
        assert_eq!(ran.code, 64, "{line}: {ran:?}");
        assert!(
            ran.err.starts_with("error: ") && ran.err.contains(value),
            "{line}: {ran:?}"
        );
    }
}

/// Of commands on the pool `prod` of 10.20.1.0/24 behind 10.20.1.1.
const CHANGES: [Case; 24] = [
    ("pool set prod", "nothing to set", "--cooldown"),
    ("pool set prod --block-size 17", "17", "power of two"),
    ("pool set prod --cooldown 30", "30", "s, m, h or d"),
    ("pool set prod --cooldown=-1s", "-1s", "s, m, h or d"),
    ("pool set prod --sticky-for 9999999d", "9999999d", "at most"),
    ("pool set prod --sticky=maybe", "maybe", "on or off"),
    ("pool set prod --namespaces a/b", "a/b", "[a-zA-Z0-9_.-]"),
    ("pool set prod --nodes n1,,n2", "\"\"", "1 to 253"),
    ("pool exclude prod", "RANGE", "--help"),
    (
        "pool exclude prod 10.20.1.9-10.20.1.3",
        "10.20.1.9-10.20.1.3",
        "in order",
    ),
    ("pool exclude prod 10.20.2.7", "range 10.20.2.7", "subnets"),
    ("pool include prod 10.20.2.7", "range 10.20.2.7", "subnets"),
    (
        "pool exclude prod 10.20.0.0/16",
        "subnet 10.20.1.0/24",
        "no usable",
    ),
    (
        "reserve create shop --pool prod --count 1",
        "shop",
        "NAMESPACE/NAME",
    ),
    (
        "reserve create a/b/c --pool prod --count 1",
        "a/b/c",
        "NAMESPACE/NAME",
    ),
    (
        "reserve create Shop/a --pool prod --count 1",
        "Shop",
        "[a-z0-9-]",
    ),
    (
        "reserve create shop/a --pool prod --count 0",
        "'0'",
        "from 1",
    ),
    ("reserve create shop/a --pool prod", "--count", "--address"),
    ("reserve create shop/a --count 1", "--pool", "--help"),
    (
        "reserve create shop/a --pool prod --count 1 --address 10.20.1.9",
        "--count",
        "--address",
    ),
    (
        "reserve create shop/a --pool prod --address 10.20.1.009",
        "10.20.1.009",
        "leading zeros",
    ),
    (
        "ip who 10.20.1.9 --at yesterday",
        "yesterday",
        "2026-11-20T",
    ),
    ("ip who 10.20.1.9 --at 2026-11-20", "2026-11-20", "zone"),
    ("ip who 10.20.1.9 --at 9000-01-01T00:00:00Z", "9000", "past"),
];

#[test]
fn a_change_that_cannot_be_is_refused_with_field_value_and_remedy() {
    let site = Site::with_pool();
    for (line, named, advice) in CHANGES {
        must_be_refused(&site, line, [named, advice]);
    }
    let long = "a".repeat(300);
    for line in [
        format!("reserve create shop/{long} --pool prod --count 1"),
        format!("pool set prod --nodes {long}"),
    ] {
        must_be_refused(&site, &line, [&long, "253"]);
    }
}

#[test]
fn usage_errors_end_with_64_and_help_with_0() {
    for line in [
        "",
        "frob",
        "pool",
        "pool frob",
        "ip show",
        "release",
        "release 10.0.0.1 -y --dry-run",
        "pool list -o yaml",
        "ip list --all --node n1",
        "completions elvishx",
    ] {
        let ran = finish(program().args(line.split_whitespace()));
        assert_eq!((ran.code, ran.out.as_str()), (64, ""), "{line}: {ran:?}");
    }
    for line in [
        "--help",
        "pool --help",
        "pool create --help",
        "release -h",
        "--version",
    ] {
        let ran = finish(program().args(line.split_whitespace()));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{line}: {ran:?}");
        assert!(!ran.out.is_empty(), "{line}");
    }
    let version = finish(program().arg("--version")).out;
    assert_eq!(version, concat!("cnictl ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn completions_are_printed_for_every_shell_and_need_no_store() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = finish(program().args(["completions", shell]));
        assert_eq!(ran.code, 0, "{shell}: {}", ran.err);
        assert!(ran.out.contains("cnictl"), "{shell}");
    }
}
