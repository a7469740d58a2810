//! Who is answered, and with what.

use std::io::Read as _;

use traffic_agent::export::ExportOptions;
use traffic_agent::http::{Cadvisor, Settings};

use crate::given::{self, Busy, Told};
use crate::served::Served;
use crate::{parser, settings};

fn served() -> Served {
    Served::start(Told::new(given::node(3)))
}

#[test]
fn each_form_is_had_by_asking_for_it_and_packed_for_who_can_unpack() {
    let served = served();
    let plain = served.get("/metrics");
    assert!(
        plain
            .head
            .contains("content-type: text/plain; version=0.0.4"),
        "{}",
        plain.head
    );
    parser::plain(std::str::from_utf8(&plain.body).unwrap());

    let lines = "Host: localhost\r\nAccept: application/openmetrics-text;version=1.0.0\r\n";
    let open = served.get_with("/metrics", lines);
    assert!(
        open.head
            .contains("content-type: application/openmetrics-text; version=1.0.0")
    );
    parser::open_metrics(std::str::from_utf8(&open.body).unwrap());

    let packed = served.get_with("/metrics", &format!("{lines}Accept-Encoding: gzip\r\n"));
    assert!(
        packed.head.contains("content-encoding: gzip"),
        "{}",
        packed.head
    );
    assert!(packed.body.len() < open.body.len() / 2);
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.body.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    parser::open_metrics(&text);
}

#[test]
fn the_json_is_everything_or_one_pod() {
    let served = served();
    let all: berth_types::traffic::Traffic =
        serde_json::from_str(&served.text("/api/v1/traffic")).unwrap();
    assert_eq!((all.interfaces.len(), all.containers.len()), (3, 6));
    assert_eq!((all.node.recorded, all.node.counted), (4, 3));
    let one = served.text("/api/v1/traffic?namespace=bank&pod=web-7d9c8b6f5-00001");
    let one: berth_types::traffic::Traffic = serde_json::from_str(&one).unwrap();
    assert_eq!((one.interfaces.len(), one.containers.len()), (1, 2));
    assert_eq!(
        one.interfaces[0].traffic.receive.scopes.cluster.bytes,
        1_001_003
    );
    assert_eq!(
        served.get("/api/v1/traffic?pod=%FF").status,
        200,
        "what is no text is no pod"
    );
    assert_eq!(served.get("/api/v1/traffic?pod=a&pod=b").status, 400);
}

#[test]
fn what_is_not_asked_for_is_not_there() {
    let served = served();
    assert_eq!(served.get("/metrics/cadvisor").status, 404);
    assert_eq!(served.get("/nothing").status, 404);
    assert_eq!(served.get("/assets/../Cargo.toml").status, 404);
    assert_eq!(served.text("/healthz"), "ok\n");
    assert_eq!(served.text("/readyz"), "ok\n");

    let settings = Settings {
        cadvisor: Cadvisor::On,
        ..Settings::default()
    };
    let source = Told::new(given::node(3));
    let served = Served::with(source, settings, ExportOptions::default());
    assert_eq!(
        parser::plain(&served.text("/metrics/cadvisor"))
            .families
            .len(),
        8
    );
}

#[test]
fn case_54_a_name_that_was_pointed_here_is_not_answered_on_any_path() {
    let settings = Settings {
        allow_hosts: vec!["node-1.example".into()],
        ..Settings::default()
    };
    let source = Told::new(given::node(1));
    let served = Served::with(source, settings, ExportOptions::default());
    let paths = [
        "/",
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/v1/traffic",
        "/api/v1/stream",
        "/assets/page.js",
        "/pods/shop/web",
        "/nothing",
    ];
    for path in paths {
        let answer = served.get_with(path, "Host: evil.example\r\n");
        assert_eq!(answer.status, 421, "{path}");
        let words = String::from_utf8(answer.body).unwrap();
        assert!(
            words.contains("--allow-host") && !words.contains("evil"),
            "{words}"
        );
    }
    let cases = [
        ("Host: node-1.example:9455\r\n", 200),
        ("Host: localhost\r\n", 200),
        ("", 400),
        ("Host: localhost\r\nHost: localhost\r\n", 400),
        ("Host: \r\n", 421),
    ];
    for (lines, status) in cases {
        assert_eq!(
            served.get_with("/healthz", lines).status,
            status,
            "{lines:?}"
        );
    }
    let absolute = "GET http://evil.example/healthz HTTP/1.1\r\nConnection: close\r\n\
        Host: localhost\r\n\r\n";
    assert_eq!(served.say(absolute).status, 400);
}

#[test]
fn nothing_can_be_changed() {
    let served = served();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
        let request = format!(
            "{method} /api/v1/traffic HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(served.say(&request).status, 405, "{method}");
    }
    let head = "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = served.say(head);
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

#[test]
fn every_answer_keeps_the_page_to_itself() {
    let served = served();
    for path in ["/", "/pods/shop/web", "/metrics", "/nothing"] {
        let head = served.get(path).head;
        for line in [
            "content-security-policy: default-src 'none'; script-src 'self'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "cross-origin-resource-policy: same-origin",
            "cache-control: no-store",
        ] {
            assert!(head.contains(line), "{path}: {line}: {head}");
        }
        assert!(
            !head.contains("unsafe-inline") && !head.contains("access-control"),
            "{head}"
        );
    }
}

#[test]
fn case_54_with_a_token_nothing_is_told_to_who_does_not_know_it() {
    let folder = tempfile::tempdir().unwrap();
    let token_file = Some(settings::token(folder.path(), "0123456789abcdef\n", 0o600));
    let with_token = Settings {
        token_file,
        ..Settings::default()
    };
    let source = Told::new(given::node(1));
    let served = Served::with(source, with_token, ExportOptions::default());
    for path in [
        "/",
        "/metrics",
        "/api/v1/traffic",
        "/api/v1/stream",
        "/assets/page.js",
    ] {
        let refused = served.get(path);
        assert_eq!(refused.status, 401, "{path}");
        assert!(
            refused.head.contains("www-authenticate: basic"),
            "a browser asks for it"
        );
        let wrong = "Host: localhost\r\nAuthorization: Bearer 0123456789abcdeF\r\n";
        assert_eq!(served.get_with(path, wrong).status, 401, "{path}");
    }
    let right = "Host: localhost\r\nAuthorization: Bearer 0123456789abcdef\r\n";
    assert_eq!(served.get_with("/metrics", right).status, 200);
    let basic = "Host: localhost\r\nAuthorization: Basic OjAxMjM0NTY3ODlhYmNkZWY=\r\n";
    assert_eq!(served.get_with("/", basic).status, 200);
    assert_eq!(served.get("/healthz").status, 200, "that says nothing");
}

#[test]
fn an_ending_server_lets_go_of_those_who_listen() {
    let served = Served::start(Busy::new(given::node(3)));
    let mut listener = served.connect();
    let request = "GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    std::io::Write::write_all(&mut listener, request.as_bytes()).unwrap();
    let mut first = [0; 1];
    listener.read_exact(&mut first).unwrap();
    served.end();
    let mut rest = Vec::new();
    listener.read_to_end(&mut rest).unwrap();
    assert!(
        rest.ends_with(b"0\r\n\r\n"),
        "the stream came to its proper end"
    );
}
