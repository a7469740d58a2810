//! What routers advertise is not what the pool says.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use e2e::lan::UPLINK;
use e2e::wait;
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::sockopt::Ipv6MulticastHops;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, sendto, setsockopt,
    socket,
};
use serde_json::{Value, json};

use super::{FOREIGN, SIX, both, cidr, occupy};
use crate::container::Container;
use crate::ground::{Ground, Kind, WIDE};

fn accepts(container: &Container<'_>) -> String {
    let read = || std::fs::read_to_string("/proc/sys/net/ipv6/conf/eth0/accept_ra");
    container.netns.run(read).expect("IPv6").trim().to_owned()
}

/// A router advertisement of `fd00:99::/64` to all nodes, out of the LAN's bridge; none as long as
/// that has no link-local address to send it from.
fn advertise(ground: &Ground) {
    // A router for 1800 s (RFC 4861 §4.2), with a prefix that is on the link and for addresses.
    let mut message = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend([3, 4, 64, 0xc0, 0, 0, 14, 16, 0, 0, 14, 16, 0, 0, 0, 0]);
    message.extend("fd00:99::".parse::<Ipv6Addr>().expect("a prefix").octets());
    ground.lan.netns().run(|| {
        let (kind, flags) = (SockType::Raw, SockFlag::SOCK_CLOEXEC);
        let sender = socket(AddressFamily::Inet6, kind, flags, SockProtocol::IcmpV6);
        let sender = sender.expect("open a raw socket (run as root)");
        setsockopt(&sender, Ipv6MulticastHops, &255).expect("as routers send it");
        let bridge = if_nametoindex("br0").expect("the LAN's bridge");
        let all = "ff02::1".parse().expect("all nodes");
        let to = SockaddrIn6::from(SocketAddrV6::new(all, 0, 0, bridge));
        match sendto(sender.as_raw_fd(), &message, &to, MsgFlags::empty()) {
            Ok(_) | Err(Errno::EADDRNOTAVAIL) => {}
            Err(error) => panic!("advertise: {error}"),
        }
    });
}

fn advertised(container: &Container<'_>) -> Vec<Value> {
    let shown = container
        .netns
        .ip_json(&["-6", "address", "show", "dev", "eth0"]);
    let all = shown[0]["addr_info"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let slaac = |info: &Value| {
        info["local"]
            .as_str()
            .is_some_and(|ip| ip.starts_with("fd00:99:"))
    };
    all.into_iter().filter(slaac).collect()
}

#[test]
fn no_container_takes_an_address_from_an_advertisement_unless_configured() {
    let both = both(1);
    let four = Ground::new(Kind::Embedded, WIDE);
    for (case, ground) in [("both families", &both), ("IPv4 alone", &four)] {
        let [deaf, follows] = ["deaf", "follows"].map(|id| ground.container(id));
        let follows = follows.with("/acceptRa", json!(true));
        for container in [&deaf, &follows] {
            container.add().success();
        }
        assert_eq!(
            (accepts(&deaf), accepts(&follows)),
            ("0".into(), "1".into()),
            "{case}"
        );
        let wait = Duration::from_secs(10);
        wait::until(wait, "the advertisement arrives", || {
            advertise(ground);
            !advertised(&follows).is_empty()
        });
        assert_eq!(advertised(&deaf), [Value::Null; 0], "{case}");
    }
}

#[test]
fn case_59_an_address_that_the_kernel_found_to_be_anothers_is_told_by_check() {
    let ground = both(2);
    let container = ground
        .container("a")
        .with("/runtimeConfig", json!({"ips": [SIX]}));
    let result = container.add().success().clone();
    container.check(&result).success();
    // Its own is set without a look; somebody sets it anew, with one, beside another's.
    occupy(ground.nodes[1].netns(), UPLINK, FOREIGN, SIX);
    let anew = |verb| {
        container
            .netns
            .ip(&["address", verb, &cidr(SIX), "dev", "eth0"]);
    };
    anew("del");
    anew("add");
    container
        .netns
        .ip(&["-6", "route", "replace", "default", "via", "fd00:20::1"]);
    wait::until(Duration::from_secs(10), "CHECK tells it", || {
        let reply = container.check(&result);
        !reply.status.success() && reply.failure().code == 103
    });
}
