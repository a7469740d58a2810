//! `berth` as podman 4.3 calls it.
#![expect(clippy::expect_used, reason = "the helpers belong to the tests")]

mod containers;
mod store_away;
mod switched;

use std::net::IpAddr;

use e2e::podman::Podman;
use e2e::site::Site;

/// The address of the running container `name`, which the gateway reaches.
#[track_caller]
fn address(site: &Site, podman: &Podman<'_>, name: &str) -> IpAddr {
    let address = podman
        .address(name)
        .expect("a running container has an address");
    assert!(
        site.lan().netns().ping(address),
        "the gateway reaches {name} at {address}"
    );
    address
}
