//! Clients that are slow, greedy, gone or many.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use traffic_agent::export::{ExportOptions, Source};
use traffic_agent::http::Settings;
use traffic_agent::model::Snapshot;

use crate::counting::Counting;
use crate::given::{self, Told};
use crate::parser;
use crate::served::Served;

#[test]
fn case_51_five_scrapers_at_once_each_get_all_of_it() {
    let served = Served::start(Told::new(given::node(500)));
    let texts = thread::scope(|scope| {
        let scrape = || parser::plain(&served.text("/metrics")).samples.len();
        let scrapers: Vec<_> = (0..5).map(|_| scope.spawn(scrape)).collect();
        scrapers
            .into_iter()
            .map(|scraper| scraper.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert!(texts.iter().all(|samples| *samples > 10_000), "{texts:?}");
}

#[test]
fn scrapers_of_one_moment_share_one_look() {
    let source = Counting::new(given::node(1000));
    let served = Served::start(Arc::clone(&source));
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| assert_eq!(served.get("/metrics").status, 200));
        }
    });
    let looks = source.looks();
    assert!(looks < 40, "{looks}");
}

#[test]
fn case_51_who_reads_slowly_or_goes_away_holds_up_nobody() {
    let settings = Settings {
        patience: Duration::from_mins(10),
        ..Settings::default()
    };
    let source = Told::new(given::node(1000));
    let served = Served::with(source, settings, ExportOptions::default());
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let slow: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = served.connect();
            stream.write_all(request).unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        let mut gone = served.connect();
        gone.write_all(request).unwrap();
        gone.read_exact(&mut [0; 100]).unwrap();
    }
    assert!(parser::plain(&served.text("/metrics")).samples.len() > 10_000);
    // They still get theirs.
    for mut stream in slow {
        stream.read_exact(&mut vec![0; 1_000_000]).unwrap();
    }
}

#[test]
fn case_51_who_takes_nothing_for_too_long_is_cut_off() {
    let settings = Settings {
        patience: Duration::from_millis(500),
        connections: 1,
        ..Settings::default()
    };
    let source = Told::new(given::node(1000));
    let served = Served::with(source, settings, ExportOptions::default());
    let mut stalled = served.connect();
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stalled.write_all(request).unwrap();
    stalled.read_exact(&mut [0; 100]).unwrap();
    // There is room for another only once it is gone.
    let answered = (0..1000).any(|_| {
        pause();
        healthy(&served)
    });
    assert!(answered, "the stalled one is gone");
}

#[expect(clippy::disallowed_methods, reason = "between two looks")]
fn pause() {
    thread::sleep(Duration::from_millis(50));
}

/// Whether a new connection is answered.
fn healthy(served: &Served) -> bool {
    let mut stream = served.connect();
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = Vec::new();
    drop(
        stream
            .write_all(request)
            .and_then(|()| stream.read_to_end(&mut answer)),
    );
    answer.starts_with(b"HTTP/1.1 200")
}

#[test]
fn heads_that_are_too_large_and_bytes_that_are_no_request_are_refused() {
    let served = Served::start(Told::new(given::node(1)));
    let large = format!("Host: localhost\r\nX: {}\r\n", "x".repeat(100_000));
    let many = format!("Host: localhost\r\n{}", "X: x\r\n".repeat(200));
    for lines in [large, many] {
        let mut stream = served.connect();
        let request = format!("GET /metrics HTTP/1.1\r\nConnection: close\r\n{lines}\r\n");
        // The server may close while this is still being sent.
        drop(stream.write_all(request.as_bytes()));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    }
    for bytes in [
        "\x16\x03\x01\x02",
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = served.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{bytes:?}");
    }
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn without_room_a_connection_is_closed_and_those_that_are_served_go_on() {
    let settings = Settings {
        connections: 2,
        ..Settings::default()
    };
    let source = Told::new(given::node(1));
    let served = Served::with(source, settings, ExportOptions::default());
    let kept = [served.connect(), served.connect()];
    for mut stream in &kept {
        // Kept alive after an answer, so they are surely accepted.
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        stream.read_exact(&mut [0; 15]).unwrap();
    }
    let mut third = served.connect();
    drop(third.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let mut answer = Vec::new();
    drop(third.read_to_end(&mut answer));
    assert!(answer.is_empty());
    drop(kept);
    let answered = (0..1000).any(|_| {
        pause();
        healthy(&served)
    });
    assert!(answered, "there is room again");
}

#[derive(Debug)]
struct Stuck;

impl Source for Stuck {
    #[expect(clippy::disallowed_methods, reason = "a kernel that does not answer")]
    fn snapshot(&self) -> Arc<Snapshot> {
        thread::sleep(Duration::from_secs(20));
        Arc::new(given::empty())
    }
}

#[test]
fn counters_that_cannot_be_read_in_time_are_an_error_and_not_a_hang() {
    let served = Served::start(Arc::new(Stuck));
    thread::scope(|scope| {
        for path in ["/metrics", "/readyz", "/api/v1/traffic"] {
            let served = &served;
            scope.spawn(move || assert_eq!(served.get(path).status, 503, "{path}"));
        }
    });
    assert_eq!(served.get("/healthz").status, 200);
}
