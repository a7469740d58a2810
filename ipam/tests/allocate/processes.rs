//! 64 processes at once: this very test program, started again to do one job.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use berth_ipam::{Ipam, NoEvidence, NodeIdentity, Request};
use berth_store::{AnyStore, StoreConfig};
use berth_types::Incarnation;
use etcd_testing::process::dies_with_this_thread;

use crate::support::{OneAddress as _, Site, block_on, now, prod, random, subnet};

const WORKERS: usize = 64;
/// `FOLDER NUMBER`; set in workers only.
const VARIABLE: &str = "BERTH_IPAM_WORKER";

#[test]
fn sixty_four_processes_get_different_addresses_of_the_embedded_store() {
    race(&Site::embedded());
}

#[test]
fn sixty_four_processes_get_different_addresses_of_etcd() {
    race(&Site::etcd());
}

/// Not a test of its own: what a worker does. Without the variable there is nothing to do.
#[test]
fn worker() {
    let Ok(order) = std::env::var(VARIABLE) else {
        return;
    };
    let (folder, number) = order.split_once(' ').expect("a folder and a number");
    block_on(work(Path::new(folder), number));
}

fn race(site: &Site) {
    block_on(site.pool(&[subnet("10.20.1.0/24")], 16));
    let folder = site.folder.path();
    fs::write(
        folder.join("config"),
        serde_json::to_vec(&site.config).expect("JSON"),
    )
    .expect("write");
    let mut workers: Vec<_> = (0..WORKERS).map(|n| start(folder, n)).collect();
    // Until all are there, and then all at once.
    wait_for(|| (0..WORKERS).all(|n| folder.join(format!("ready-{n}")).exists()));
    fs::write(folder.join("begin"), "").expect("begin");
    wait_for(|| (0..WORKERS).all(|n| folder.join(format!("given-{n}")).exists()));
    let given = (0..WORKERS).map(|n| fs::read_to_string(folder.join(format!("given-{n}"))));
    let given: BTreeSet<IpAddr> = given
        .map(|text| text.expect("an answer").parse().expect("an address"))
        .collect();
    assert_eq!(given.len(), WORKERS, "an address is given twice");
    let held: BTreeSet<_> = block_on(site.holders()).into_keys().collect();
    assert_eq!(held, given);
    fs::write(folder.join("end"), "").expect("end");
    for worker in &mut workers {
        let status = worker.wait().expect("wait for a worker");
        assert!(status.success(), "a worker failed: {status}");
    }
    assert!(block_on(site.holders()).is_empty(), "all are released");
}

fn start(folder: &Path, number: usize) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "processes::worker", "--nocapture"]);
    command.env(VARIABLE, format!("{} {number}", folder.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    dies_with_this_thread(&mut command);
    command.spawn().expect("start a worker")
}

async fn work(folder: &Path, number: &str) {
    let config = fs::read(folder.join("config")).expect("the configuration");
    let config: StoreConfig = serde_json::from_slice(&config).expect("JSON");
    fs::write(folder.join(format!("ready-{number}")), "").expect("ready");
    wait_for(|| folder.join("begin").exists());
    // All share one node's state, the first of them makes it.
    let state = folder.join("state");
    let node = NodeIdentity::load("n1".parse().expect("a name"), &state, random());
    let store = AnyStore::open(&config).expect("open the store");
    let ipam = Ipam::new(store, &config, node.expect("the node's id"), &state);
    let request = Request::new(
        format!("n1/pods/c{number}/eth0").parse().expect("an id"),
        Incarnation::from_random(random()),
        vec![prod()],
    );
    let lease = ipam
        .allocate(&request, &NoEvidence, now())
        .await
        .expect("an address");
    let answer = folder.join(format!("answer-{number}"));
    fs::write(&answer, lease.address().to_string()).expect("answer");
    fs::rename(answer, folder.join(format!("given-{number}"))).expect("answer");
    wait_for(|| folder.join("end").exists());
    ipam.release(&request.attachment, None, now())
        .await
        .expect("release");
}

#[expect(clippy::disallowed_methods, reason = "polls with a deadline")]
fn wait_for(mut ready: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(50);
    while !ready() {
        assert!(std::time::Instant::now() < deadline, "not within 50 s");
        std::thread::sleep(Duration::from_millis(5));
    }
}
