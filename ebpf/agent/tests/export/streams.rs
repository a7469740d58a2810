//! `/api/v1/stream`: what changes, each second, to whoever listens.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use serde_json::Value;
use traffic_agent::export::ExportOptions;
use traffic_agent::http::Settings;

use crate::counting::Counting;
use crate::given::{self, Busy};
use crate::served::Served;

/// One who listens.
struct Listener(BufReader<TcpStream>);

impl Listener {
    fn new(served: &Served, query: &str) -> Self {
        let mut stream = served.connect();
        let request = format!("GET /api/v1/stream{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        Self(BufReader::new(stream))
    }

    /// The next event: its name and its data.
    fn event(&mut self) -> (String, Value) {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.0.read_line(&mut line).unwrap(),
                0,
                "the stream goes on"
            );
            if let Some(event) = line.strip_prefix("event: ") {
                event.trim_end().clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return (name, serde_json::from_str(data).unwrap());
            }
        }
    }

    /// The first event that `is` true for, or a panic.
    fn until(&mut self, is: impl Fn(&str, &Value) -> bool) -> Value {
        for _ in 0..30 {
            let (name, data) = self.event();
            if is(&name, &data) {
                return data;
            }
        }
        panic!("nothing of the kind in 30 events");
    }
}

#[test]
fn who_listens_is_told_everything_once_and_then_what_changes() {
    let source = Busy::new(given::node(2));
    let served = Served::start(source);
    let mut listener = Listener::new(&served, "");
    let (name, hello) = listener.event();
    assert_eq!(name, "hello");
    assert_eq!(hello["rows"].as_array().unwrap().len(), 6);
    let eth0 = hello["rows"].as_array().unwrap().iter();
    let eth0 = eth0.filter(|row| row["kind"] == "interface" && row["namespace"] == "shop");
    let eth0 = eth0.min_by_key(|row| row["id"].as_u64()).unwrap();
    assert_eq!(
        (&eth0["name"], &eth0["mode"][1]),
        (&Value::from("eth0"), &Value::from("tcx"))
    );

    let tick = listener.until(|name, data| name == "tick" && data["rates"][0].is_array());
    let rates = tick["rates"].as_array().unwrap();
    let of = rates.iter().find(|rate| rate[0] == eth0["id"]).unwrap();
    assert!(
        of[1].as_u64().unwrap() > 0 && of[5].as_u64() > hello["rates"][0][5].as_u64(),
        "{of}"
    );
    assert_eq!(tick["add"], Value::from(Vec::<u8>::new()), "nobody came");
}

#[test]
fn who_comes_and_goes_is_told() {
    let source = given::Told::new(given::node(2));
    let served = Served::start(Arc::clone(&source));
    let mut listener = Listener::new(&served, "");
    let hello = listener.until(|name, _| name == "hello");
    let mut next = given::node(3);
    next.interfaces.remove(0);
    next.taken = given::noon() + jiff::SignedDuration::from_secs(1);
    source.tell(next);
    let tick = listener.until(|_, data| data["add"][0].is_object());
    assert_eq!(
        tick["add"].as_array().unwrap().len(),
        3,
        "a pod with two containers"
    );
    assert_eq!(tick["del"].as_array().unwrap().len(), 1);
    let known = hello["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_u64());
    let fresh = tick["add"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_u64());
    assert!(fresh.min() > known.max(), "an id is never used again");
}

#[test]
fn one_pod_is_told_in_full() {
    let served = Served::start(Busy::new(given::node(3)));
    let mut listener = Listener::new(&served, "?namespace=bank&pod=web-7d9c8b6f5-00001");
    let (name, data) = listener.event();
    assert_eq!(name, "pod");
    assert_eq!(data["interfaces"].as_array().unwrap().len(), 1);
    assert_eq!(data["containers"].as_array().unwrap().len(), 2);
    assert!(
        data["interfaces"][0]["receive"]["detail"]
            .as_array()
            .unwrap()
            .len()
            > 3
    );
}

#[test]
fn nothing_is_read_while_nobody_listens() {
    let source = Counting::new(given::node(1));
    let looks = || source.looks();
    let served = Served::start(Arc::clone(&source));
    assert_eq!(looks(), 0);
    for _round in 0..2 {
        let mut listener = Listener::new(&served, "");
        listener.event();
        drop(listener);
        // The server notices at the next write that nobody is there.
        let mut before = looks();
        let mut quiet = 0;
        for _ in 0..60 {
            pause();
            quiet = if looks() == before { quiet + 1 } else { 0 };
            before = looks();
            if quiet == 3 {
                break;
            }
        }
        assert_eq!(quiet, 3, "the ticker ends");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "looks each second, as the server does"
)]
fn pause() {
    thread::sleep(std::time::Duration::from_millis(1100));
}

#[test]
fn case_54_a_hundred_browsers_watch_at_once() {
    let settings = Settings {
        streams: 101,
        ..Settings::default()
    };
    let source = Busy::new(given::node(100));
    let served = Served::with(source, settings, ExportOptions::default());
    let mut listeners: Vec<_> = (0..101).map(|_| Listener::new(&served, "")).collect();
    for listener in &mut listeners {
        listener.until(|name, _| name == "hello");
        listener.until(|name, _| name == "tick");
    }
    assert_eq!(
        served.get("/metrics").status,
        200,
        "others are served as well"
    );
    assert_eq!(served.get("/api/v1/stream").status, 503, "there is a bound");
}
