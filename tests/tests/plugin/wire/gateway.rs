//! `gatewayCheck`.

use std::net::IpAddr;

use e2e::capture::ArpCapture;
use serde_json::json;

use super::both;
use crate::ground::GATEWAY;

/// How often `own` asked for the gateway.
fn questions(capture: &mut ArpCapture, own: IpAddr) -> usize {
    let frames = capture.frames().iter();
    let asks = |frame: &&e2e::capture::ArpFrame| {
        frame.sender_ip == own && frame.target_ip == GATEWAY && frame.operation == 1
    };
    frames.filter(asks).count()
}

#[test]
fn a_gateway_that_answers_is_asked_once() {
    let ground = both(1);
    let container = ground.container("a").with("/gatewayCheck", json!(true));
    let mut capture = ground.lan.capture_arp();
    let own = container.add().address();
    assert_eq!(questions(&mut capture, own), 1);
}

#[test]
fn a_silent_gateway_is_named_after_300_ms() {
    let ground = both(1);
    for gateway in ["10.20.1.1", "fd00:20::1"] {
        let prefix = if gateway.contains(':') { 112 } else { 24 };
        let cidr = format!("{gateway}/{prefix}");
        let bridge = ground.lan.netns();
        bridge.ip(&["address", "del", &cidr, "dev", "br0"]);
        let container = ground.container("a").with("/gatewayCheck", json!(true));
        container.refused(104, &[gateway]);
        bridge.ip(&["address", "add", &cidr, "dev", "br0", "nodad"]);
        let unchecked = ground.container("b");
        unchecked.add().success();
        unchecked.del().success();
    }
}

#[test]
fn a_pool_without_a_gateway_has_none_to_be_silent() {
    let ground =
        crate::ground::Ground::new(crate::ground::Kind::Embedded, &["--subnet", "10.20.1.0/28"]);
    let container = ground.container("a").with("/gatewayCheck", json!(true));
    container.add().success();
}
