//! What the agent itself costs on a full node.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use e2e::process::{self, Daemon};
use e2e::stats::Times;
use e2e::wait::until;

use super::ground::{Ground, PATIENCE, Pod};

/// How many pods there are when the agent starts.
const PODS: usize = 500;
/// How often it is scraped afterwards, and how long from one to the next.
const SCRAPES: (u32, Duration) = (8, Duration::from_secs(15));

/// By hand: `cargo build --release -p traffic-agent -p berth-cni -p cnictl && cargo test --release
/// -p e2e --test traffic -- --ignored --nocapture figures`, as root.
#[test]
#[ignore = "figures mean something in a release build on a quiet machine only"]
#[expect(clippy::disallowed_methods, reason = "this is the stop watch")]
#[expect(clippy::print_stderr, reason = "figures for whoever asked for them")]
fn the_agent_on_a_node_with_hundreds_of_pods() {
    let ground = Ground::new();
    let pods: Vec<Pod<'_>> = (0..PODS)
        .map(|n| ground.pod(&format!("web{n}-x2x7z")))
        .collect();
    let begun = Instant::now();
    let mut agent = ground.start(&["--level", "default"]);
    let mut first = None;
    until(PATIENCE, "it answers", || {
        first = scrape(&ground);
        first.is_some()
    });
    let (after, first) = (begun.elapsed(), first.expect("an answer"));
    let lines = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with("berth_pod_attached{"))
            .count()
    };
    eprintln!(
        "first scrape answered {after:?} after the start, with {} pods",
        lines(&first)
    );
    until(PATIENCE * 3, "all are attached", || {
        ground.links().len() == pods.len() * 2
    });
    let attached = begun.elapsed();
    let spent = spent(&agent);
    eprintln!("{PODS} pods attached after {attached:?}, with {spent:?} of the processor");

    let (count, pause) = SCRAPES;
    let (began, before) = (Instant::now(), self::spent(&agent));
    let mut times = Vec::new();
    let mut size = 0;
    for _ in 0..count {
        thread::sleep(pause);
        let asked = Instant::now();
        size = scrape(&ground).expect("an answer").len();
        times.push(asked.elapsed());
    }
    let share =
        self::spent(&agent).saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    let times = Times::new(times);
    eprintln!(
        "scraped every {pause:?}: {:.2} % of a processor, {:?} a scrape, {:?} at most, {size} bytes, {} KiB resident",
        share * 100.0,
        times.median(),
        times.percentile(100),
        resident(&agent),
    );
    assert!(agent.lives());
}

/// What Prometheus is answered, once anybody listens.
fn scrape(ground: &Ground) -> Option<String> {
    let mut stream = ground
        .node
        .netns()
        .run(|| TcpStream::connect(("127.0.0.1", 9455)))
        .ok()?;
    let ask = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9455\r\nConnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.200}");
    Some(answer)
}

/// What all its threads have had of the processors.
fn spent(agent: &Daemon) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{}/task", agent.pid())).expect("its threads");
    tasks
        .flatten()
        .map(|task| process::spent(&task.path()))
        .sum()
}

fn resident(agent: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("its memory")
}
