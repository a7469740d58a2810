//! `cnictl top` against an agent that the test serves.

mod serve;
mod terminal;

use crate::support::{Ran, finish, program};

use serve::Served;

fn run(arguments: &[&str]) -> Ran {
    finish(program().arg("top").args(arguments))
}

#[test]
fn a_pipe_gets_a_plain_table_of_one_second() {
    let served = Served::plain();
    let ran = run(&["--node", &served.url()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<Vec<&str>> = ran
        .out
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0][..4], ["NAMESPACE", "POD", "KIND", "NAME"]);
    assert_eq!(
        lines[1][..4],
        ["shop", "web-0", "interface", "eth0"],
        "it carries most"
    );
    assert_eq!(
        lines[2][..4],
        ["shop", "web-0", "container", "app"],
        "below its pod"
    );
    assert!(lines[1][4].parse::<u64>().unwrap() > 0, "{lines:?}");
    assert!(
        ran.out.contains("\"a\\u{1b}[31m\\\"b\""),
        "a name drives no terminal: {}",
        ran.out
    );
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'));
    assert!(
        ran.err.contains("only 3 of 4 interfaces are counted"),
        "{}",
        ran.err
    );
}

#[test]
fn json_sort_and_filter() {
    let served = Served::plain();
    let arguments = [
        "--node",
        &served.url(),
        "--sort",
        "name",
        "--filter",
        "SHOP web",
        "-o",
        "json",
    ];
    let ran = run(&arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let names: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["pod"].clone())
        .collect();
    assert_eq!(names, ["web-0", "web-0", "web-1"]);
    assert!(rows[0]["receiveBytesPerSecond"].as_u64().unwrap() > 0);
}

#[test]
fn an_agent_behind_tls_and_a_token_is_asked_with_both() {
    let served = Served::with_tls();
    let [ca, token] = [served.file("cert.pem"), served.file("token")];
    let url = served.url();
    let ran = run(&[
        "--node",
        &url,
        "--ca",
        &ca,
        "--token-file",
        &token,
        "--once",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");

    let stranger = run(&["--node", &url, "--token-file", &token]);
    assert_eq!(stranger.code, 2, "its authority is nobody's: {stranger:?}");
    assert!(stranger.err.contains("cannot be reached") && stranger.err.contains("--ca"));
    let nobody = run(&["--node", &url, "--ca", &ca]);
    assert_eq!(nobody.code, 2);
    assert!(
        nobody.err.contains("401") && nobody.err.contains("--token-file"),
        "{nobody:?}"
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let nothing = "/nonexistent";
    for arguments in [
        &["--node", "ftp://a"][..],
        &["--node", "127.0.0.1:9455"],
        &["--node", "http://127.0.0.1:1/api"],
        &["--node", "https://127.0.0.1:1", "--ca", nothing],
        &["--token-file", nothing],
        &["--sort", "colour"],
    ] {
        assert_eq!(run(arguments).code, 64, "{arguments:?}");
    }
    let away = run(&["--node", "http://127.0.0.1:1"]);
    assert_eq!(away.code, 2, "{away:?}");
    assert!(
        away.err.contains("cannot be reached") && away.err.contains("hint:"),
        "{away:?}"
    );
}
