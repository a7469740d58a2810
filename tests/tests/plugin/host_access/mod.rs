//! Node and container reach each other past the LAN, and services by way of the node.

mod ends;
mod reach;
mod removal;
mod services;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use e2e::lan::{Node, UPLINK};
use e2e::netns::Netns;
use e2e::{debian, process};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde_json::{Value, json};

use crate::container::Container;
use crate::families::six_gateway;
use crate::ground::{Ground, Kind, set};

/// Both families, each behind its gateway, which is the LAN's.
const BOTH: &[&str] = &[
    "--subnet",
    "10.20.1.0/24",
    "--gateway",
    "10.20.1.1",
    "--subnet",
    "fd00:20::/112",
    "--gateway",
    "fd00:20::1",
    "--exclude",
    "10.20.1.250",
];
/// Where services are, of either family.
const SERVICES: [&str; 2] = ["10.96.0.0/12", "fd00:96::/112"];
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who connects containers to the LAN.
#[derive(Clone, Copy, Debug)]
enum By {
    Macvlan,
    Ovs,
}

/// A ground of both families, whose first node has an address of each.
fn ground(kind: Kind, by: By) -> Ground {
    let ground = match by {
        By::Macvlan => Ground::with_nodes(kind, BOTH, 2),
        By::Ovs => Ground::switched(kind, BOTH),
    };
    six_gateway(&ground, "fd00:20::1/112");
    let bearer = match by {
        By::Macvlan => UPLINK,
        By::Ovs => e2e::ovs::BRIDGE,
    };
    let node = ground.node().netns();
    let own = [
        "address",
        "add",
        "fd00:20::ffff/112",
        "dev",
        bearer,
        "nodad",
    ];
    node.ip(&own);
    if let By::Ovs = by {
        // The node's own address moves to the bridge, as its uplink did.
        let address = format!("{}/24", ground.node().address());
        node.ip(&["address", "flush", "dev", UPLINK, "scope", "global"]);
        node.ip(&["link", "set", bearer, "up"]);
        node.ip(&["address", "add", &address, "dev", bearer]);
    }
    ground
}

/// The node's addresses in [`ground`].
fn node_addresses(node: &Node) -> [IpAddr; 2] {
    [
        node.address().into(),
        "fd00:20::ffff".parse().expect("an address"),
    ]
}

fn container<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    with_services(ground.container(id), &[])
}

/// The container as it is configured to reach services.
fn with_services<'a>(mut container: Container<'a>, services: &[&str]) -> Container<'a> {
    set(&mut container.config, "/hostAccess", json!(true));
    if !services.is_empty() {
        set(&mut container.config, "/serviceCidrs", json!(services));
    }
    container
}

/// Connects by TCP from `client` to `to`, where whoever waits at `server`, `at`, answers: whom the
/// server saw, or why not.
pub(crate) fn connect(
    client: &Netns,
    to: SocketAddr,
    server: &Netns,
    at: SocketAddr,
) -> Result<IpAddr, String> {
    let listener = server
        .run(|| TcpListener::bind(at))
        .map_err(|e| format!("listen: {e}"))?;
    let patience = TimeVal::seconds(PATIENCE.as_secs().try_into().expect("few seconds"));
    setsockopt(&listener, ReceiveTimeout, &patience).expect("wait for so long");
    let connected = client.run(|| TcpStream::connect_timeout(&to, PATIENCE));
    let mut client = connected.map_err(|error| format!("connect to {to}: {error}"))?;
    let accepted = listener.accept();
    let (mut accepted, seen) = accepted.map_err(|error| format!("accept: {error}"))?;
    let mut answer = [0];
    let talk = accepted
        .write_all(b"!")
        .and_then(|()| client.set_read_timeout(Some(PATIENCE)))
        .and_then(|()| client.read_exact(&mut answer));
    talk.map_err(|error| format!("talk with {to}: {error}"))?;
    Ok(seen.ip())
}

/// The names of the node's nftables tables.
fn tables(node: &Node) -> Vec<String> {
    let mut command = node.netns().command(debian::require("nft", "nftables"));
    let listed = process::output(command.args(["-j", "list", "tables"]));
    let listed: Value = serde_json::from_str(&listed).expect("`nft -j` prints JSON");
    let tables = listed["nftables"].as_array().into_iter().flatten();
    let names = tables.filter_map(|entry| entry["table"]["name"].as_str());
    names.map(str::to_owned).collect()
}

/// Those of berth.
fn own_tables(node: &Node) -> Vec<String> {
    let mut names = tables(node);
    names.retain(|name| name.starts_with("berth-"));
    names
}
