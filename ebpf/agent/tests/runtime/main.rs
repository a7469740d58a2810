//! The container runtime's word: what is asked of it, and what is done when it does not answer.
#![expect(clippy::unwrap_used, reason = "the helpers belong to the tests")]

mod fake;

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use fake::Fake;
use traffic_agent::containers::cri::{Client, Patience, Socket, Told};

/// How long anything may take on a machine that is busy.
const LONG: Duration = Duration::from_mins(1);

fn start(socket: &Path) -> Client {
    let patience = Patience {
        deadline: Duration::from_secs(1),
        pause: Duration::from_millis(20),
        every: Duration::from_millis(100),
    };
    let socket = Socket::Said(format!("unix://{}", socket.display()));
    Client::start(&socket, patience).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a poll with a deadline")]
fn until(client: &Client, what: &str, ready: impl Fn(&Told) -> bool) -> Told {
    let began = Instant::now();
    loop {
        let told = client.told();
        if ready(&told) {
            return told;
        }
        assert!(began.elapsed() < LONG, "{what}: {told:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_runtime_names_containers_pods_and_applications() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("cri.sock");
    let _fake = Fake::start(&socket);
    let told = until(&start(&socket), "an answer", |told| told.up == Some(true));
    let runtime = told.runtime;
    assert_eq!(runtime.name_of("c1"), Some("app"));
    assert_eq!(runtime.name_of("c2"), Some("sidecar"), "by its metadata");
    assert!(runtime.is_sandbox("s1") && !runtime.is_sandbox("c1"));
    assert_eq!(
        runtime.pod_of("c1").map(|pod| pod.name.as_str()),
        Some("web-0")
    );
    assert_eq!(runtime.app_of("s1"), Some("web"));
    assert_eq!(told.problem, None);
}

#[test]
fn case_42_a_runtime_that_is_down_and_starts_again_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("cri.sock");
    let client = start(&socket);
    let told = until(&client, "no answer", |told| told.up == Some(false));
    assert!(told.problem.unwrap().contains("no such socket"));
    // A socket that nobody listens on any more.
    drop(UnixListener::bind(&socket).unwrap());
    until(&client, "nobody listens", |told| {
        told.problem
            .as_ref()
            .is_some_and(|said| said.contains("nobody listens"))
    });
    std::fs::remove_file(&socket).unwrap();
    let fake = Fake::start(&socket);
    until(&client, "an answer", |told| told.up == Some(true));
    drop(fake);
    std::fs::remove_file(&socket).unwrap();
    let told = until(&client, "no answer again", |told| told.up == Some(false));
    assert_eq!(
        told.runtime.name_of("c1"),
        Some("app"),
        "what it said is as true"
    );
    let _fake = Fake::start(&socket);
    until(&client, "an answer again", |told| told.up == Some(true));
}

#[test]
fn case_42_a_runtime_that_never_answers_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("cri.sock");
    let _silent = UnixListener::bind(&socket).unwrap();
    let client = start(&socket);
    let told = until(&client, "it is given up", |told| told.up == Some(false));
    assert!(told.problem.unwrap().contains("no answer within 1 s"));
}

#[test]
fn case_42_a_runtime_of_another_version_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("cri.sock");
    let _fake = Fake::of_another_version(&socket);
    let told = until(&start(&socket), "it is asked", |told| told.up.is_some());
    assert_eq!(told.up, Some(false));
    assert!(told.problem.unwrap().contains("version v1"));
}

#[test]
fn a_usual_socket_that_is_not_there_is_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none").display().to_string();
    let client = Client::start(&Socket::Usual(path), Patience::default()).unwrap();
    let told = until(&client, "it is looked", |told| told.asked > 0);
    assert_eq!((told.up, told.problem, told.failures), (None, None, 0));
}
