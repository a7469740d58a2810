//! Clocks, lost answers and a store that refuses: cases 72 to 74.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use e2e::debian;
use e2e::etcd::Etcd;
use e2e::plugin::Plugin;
use e2e::process;
use serde_json::json;

use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE, assert_node_clean, waiting};

/// What waits is made in the order it was written, also when the clock was set back meanwhile;
/// an outage's age is counted in uptime.
#[test]
fn case_72_a_clock_that_jumps_changes_nothing_etcd() {
    let ground = Ground::new(Kind::Etcd, WIDE);
    let [first, second] = ["first", "second"].map(|id| ground.container(id));
    first.add().success();
    second.add().success();
    let away = ground.cut_off();
    first.del().success();
    let notes = waiting(ground.node());
    let [note] = notes.as_slice() else {
        panic!("one release waits: {notes:?}")
    };
    // As if it had been written by a clock a hundred years ahead.
    let (folder, name) = note.rsplit_once('/').expect("a path");
    let ahead = name
        .trim_end_matches(".json")
        .parse::<u128>()
        .expect("a number")
        + 3_000_000_000_000_000_000;
    fs::rename(note, format!("{folder}/{ahead:030}.json")).expect("rename the note");
    second.del().success();
    assert_eq!(waiting(ground.node()).len(), 2);
    let since = fs::read_to_string(ground.node().file("run/store-away")).expect("store-away");
    let since: u64 = since.trim().parse().expect("milliseconds");
    let uptime = fs::read_to_string("/proc/uptime").expect("the uptime");
    let uptime: f64 = uptime
        .split(' ')
        .next()
        .expect("a number")
        .parse()
        .expect("seconds");
    let uptime = Duration::from_secs_f64(uptime);
    assert!(uptime.abs_diff(Duration::from_millis(since)) < Duration::from_mins(1));
    drop(away);
    let third = ground.container("third");
    third.add().success();
    third.del().success();
    assert_eq!(waiting(ground.node()), [""; 0]);
    ground.assert_clean("a clock that was set back");
}

/// Passes bytes between the plugin and etcd, and cuts the connection in place of the answer to the
/// first transactions that make an attachment.
struct LossyProxy {
    port: u16,
    lost: Arc<AtomicUsize>,
}

/// What only a transaction that claims an address contains.
const CLAIM: &[u8] = br#""phase":"live""#;

impl LossyProxy {
    /// Loses `most` answers of the etcd at `to`.
    fn start(to: SocketAddr, most: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind to loopback");
        let port = listener.local_addr().expect("an address").port();
        let lost = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&lost);
        let serve = move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(to).expect("etcd is there");
                let lost = Arc::clone(&counter);
                thread::spawn(move || pass(client, server, &lost, most));
            }
        };
        thread::spawn(serve);
        Self { port, lost }
    }
}

/// Passes one connection on until either end closes it, or an answer is to be lost.
fn pass(mut client: TcpStream, mut server: TcpStream, lost: &AtomicUsize, most: usize) {
    let (mut back, mut to_client) = (
        server.try_clone().expect("a socket"),
        client.try_clone().expect("a socket"),
    );
    let lose = Arc::new(AtomicUsize::new(0));
    let losing = Arc::clone(&lose);
    let answers = thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = back.read(&mut buffer) {
            if losing.load(Ordering::SeqCst) > 0 {
                // The answer to the claim, or what comes just before it: give it time to be made.
                thread::park_timeout(Duration::from_millis(50));
                break;
            }
            let bytes = buffer.get(..length).unwrap_or_default();
            if to_client.write_all(bytes).is_err() {
                break;
            }
        }
        for end in [back, to_client] {
            end.shutdown(Shutdown::Both).unwrap_or_default();
        }
    });
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let bytes = buffer.get(..length).unwrap_or_default();
        let claims = bytes.windows(CLAIM.len()).any(|window| window == CLAIM);
        if claims && lost.load(Ordering::SeqCst) < most {
            lost.fetch_add(1, Ordering::SeqCst);
            lose.store(1, Ordering::SeqCst);
        }
        if server.write_all(bytes).is_err() {
            break;
        }
    }
    server.shutdown(Shutdown::Write).unwrap_or_default();
    drop(answers.join());
}

#[test]
fn case_73_a_lost_answer_costs_no_second_address_etcd() {
    let ground = Ground::new(Kind::Etcd, WIDE);
    for most in [1, 2, 3] {
        let to = SocketAddr::from((ground.lan.address(), 2379));
        let proxy = ground.node().netns().run(|| {
            // Sockets and threads made in here stay in this namespace.
            LossyProxy::start(to, most)
        });
        let url = format!("http://127.0.0.1:{}", proxy.port);
        let store = json!({"etcd": {"endpoints": [url], "timeoutMs": 1000}});
        let container = ground.container("a").with("/ipam/store", store);
        let address = container.add().address();
        assert_eq!(proxy.lost.load(Ordering::SeqCst), most, "answers were lost");
        assert_eq!(ground.held(), [address]);
        container.assert_connected(address);
        container.del().success();
        ground.assert_clean(&format!("{most} lost answers"));
    }
}

#[test]
fn case_73_an_answer_that_comes_late_costs_no_second_address_etcd() {
    let mut ground = Ground::new(Kind::Etcd, WIDE);
    ground.container("warm").add().success();
    let running = {
        let node = ground.node();
        let container = node.container("late");
        let config = ground.config();
        ground.etcd.as_ref().expect("etcd").pause();
        let call = e2e::plugin::Call::new("ADD", "late", Some(container.path()), &config);
        let running = Plugin::berth().start(node, &call);
        thread::park_timeout(Duration::from_millis(300));
        (running, container, config)
    };
    let (running, container, config) = running;
    ground.etcd().resume();
    let reply = running.finish();
    assert_eq!(container.addresses("eth0"), [reply.address()]);
    assert_eq!(ground.held().len(), 2);
    let call = e2e::plugin::Call::new("DEL", "late", Some(container.path()), &config);
    ground.plugin.call(ground.node(), &call).success();
    assert_eq!(ground.held().len(), 1);
}

fn etcdctl(ground: &Ground, endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = ground
        .node()
        .command(debian::require("etcdctl", "etcd-client"));
    command
        .env("ETCDCTL_API", "3")
        .args(["--command-timeout", "5s", "--endpoints", endpoint]);
    command.args(arguments);
    command
}

/// Requests without credentials are refused, as with ones that have expired.
#[test]
fn case_74_an_etcd_that_refuses_is_code_11_and_del_succeeds_etcd() {
    let ground = Ground::new(Kind::Etcd, WIDE);
    let container = ground.container("a");
    container.add().success();
    let endpoint = ground.etcd.as_ref().expect("etcd").endpoint();
    for arguments in [
        &["user", "add", "root:secret"][..],
        &["user", "grant-role", "root", "root"],
        &["auth", "enable"],
    ] {
        process::output(&mut etcdctl(&ground, &endpoint, arguments));
    }
    let other = ground.container("b");
    let error = other.add().failure();
    assert_names(&error, 11, &[&endpoint]);
    assert_eq!(other.netns.links(), [""; 0]);
    other.del().success();
    container.del().success();
    assert_eq!(container.netns.links(), [""; 0]);
    assert_node_clean(ground.node(), "etcd refuses");
    assert!(!waiting(ground.node()).is_empty(), "the release waits");

    let credentials = ["--user", "root:secret", "auth", "disable"];
    process::output(&mut etcdctl(&ground, &endpoint, &credentials));
    other.add().success();
    other.del().success();
    ground.assert_clean("etcd no longer refuses");
}

#[test]
fn case_74_an_etcd_without_a_leader_is_code_11_and_del_succeeds_etcd() {
    let mut ground = Ground::new(Kind::Embedded, WIDE);
    ground.patience_ms = 1000;
    let mut members = Etcd::start_cluster_in(ground.node().netns(), 3);
    // The first member is the store from here on.
    let first = members.remove(0);
    let endpoint = first.endpoint();
    ground.etcd = Some(first);
    ground.create_pool("prod", WIDE);
    let container = ground.container("a");
    container.add().success();
    let [second, third] = members.as_mut_slice() else {
        panic!("three members")
    };
    second.kill();
    third.kill();
    let (id, netns, config) = ("a", &container.netns, &container.config);
    let other = ground.container("b");
    let error = other.add().failure();
    assert_names(&error, 11, &[&endpoint]);
    assert_eq!(other.netns.links(), [""; 0]);
    let call = e2e::plugin::Call::new("DEL", id, Some(netns.path()), config);
    let reply = ground.plugin.call(ground.node(), &call);
    reply.success();
    assert!(
        reply.elapsed < Duration::from_secs(10),
        "{:?}",
        reply.elapsed
    );
    assert_eq!(netns.links(), [""; 0]);
    other.del().success();
    second.restart();
    e2e::wait::until(
        Duration::from_secs(20),
        "a leader is there and serves",
        || {
            let mut command = etcdctl(&ground, &endpoint, &["endpoint", "health"]);
            command.output().is_ok_and(|ran| ran.status.success())
        },
    );
    let next = ground.container("c");
    next.add().success();
    next.del().success();
    ground.assert_clean("a leader is back");
}
