//! `cnictl release`.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::process::{Child, Stdio};

use berth_store::Write;
use berth_types::{AddressRecord, Record as _, keys};
use nix::pty::openpty;
use serde_json::json;

use crate::support::{Ran, Site, attached, attachment, holder, ran};

fn busy() -> Site {
    let site = Site::with_pool();
    site.hold("10.20.1.2", "node-1", "web-1");
    site.hold("10.20.1.3", "node-2", "web-2");
    site
}

/// The program with a terminal to ask on, up to its question.
struct Asking {
    child: Child,
    terminal: File,
    said: String,
}

impl Asking {
    fn start(site: &Site, line: &str) -> Self {
        let pty = openpty(None, None).expect("open a terminal");
        let mut command = site.command(line.split_whitespace());
        command
            .stdin(pty.slave)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("start cnictl");
        // The command holds the terminal's other end, which the child alone should have.
        drop(command);
        let stderr = child.stderr.as_mut().expect("stderr is a pipe");
        let mut said = Vec::new();
        let mut byte = [0];
        while !said.ends_with(b"[y/N] ") && stderr.read(&mut byte).expect("read stderr") == 1 {
            said.extend(byte);
        }
        let said = String::from_utf8(said).expect("text");
        Self {
            child,
            terminal: File::from(pty.master),
            said,
        }
    }

    fn answer(mut self, words: &str) -> Ran {
        writeln!(self.terminal, "{words}").expect("type an answer");
        ran(self.child.wait_with_output().expect("wait for cnictl"))
    }
}

#[test]
fn a_release_frees_the_address_and_removes_the_attachment() {
    let site = busy();
    let out = site.done("release 10.20.1.2 --yes");
    let expected = "\
ADDRESS    OUTCOME   POD         HOLDER                  SINCE (UTC)
10.20.1.2  released  shop/web-1  node-1/pods/web-1/eth0  2026-03-01T12:00:00Z
";
    assert_eq!(out, expected);
    let keys: Vec<_> = site.content().into_iter().map(|(key, ..)| key).collect();
    let left = [
        "/berth/v1/addresses/010.020.001.002",
        "/berth/v1/addresses/010.020.001.003",
        "/berth/v1/attachments/node-2/pods/web-2/eth0",
        "/berth/v1/pools/prod",
    ];
    assert_eq!(keys, left);
    let (_, shown) = site.json("ip show 10.20.1.2");
    assert_eq!(shown["state"], "free");
    assert_eq!(shown["previous"][0]["attachment"], "node-1/pods/web-1/eth0");
}

#[test]
fn a_free_address_is_released_by_doing_nothing() {
    let site = busy();
    site.done("ip release 10.20.1.2 --yes");
    let before = site.content();
    // Without --yes: nothing is taken from anybody, so nobody needs to be asked.
    let (code, rows) = site.json("release 10.20.1.2 10.20.1.99");
    assert_eq!(code, 0);
    assert_eq!(
        (&rows[0]["outcome"], &rows[1]["outcome"]),
        (&json!("already-free"), &json!("never-held"))
    );
    assert_eq!(site.content(), before);
}

#[test]
fn a_dry_run_writes_nothing_and_shows_the_holder() {
    let site = busy();
    let before = site.content();
    let (code, rows) = site.json("release 10.20.1.3 10.20.1.2 --dry-run");
    assert_eq!(code, 0);
    let row = json!({
        "address": "10.20.1.2", "outcome": "would-release", "revision": 2, "problem": null,
        "holder": {
            "attachment": "node-1/pods/web-1/eth0", "node": "node-1", "network": "pods",
            "container": "web-1", "interface": "eth0",
            "incarnation": "07070707070707070707070707070707",
            "pod": { "namespace": "shop", "name": "web-1", "uid": "uid-web-1" },
            "mac": "0a:58:0a:14:01:02", "since": "2026-03-01T12:00:00.25Z",
        },
    });
    assert_eq!(rows[0], row);
    assert_eq!(rows[1]["holder"]["container"], "web-2");
    assert_eq!(site.content(), before);
}

#[test]
fn without_a_terminal_a_release_needs_yes() {
    let site = busy();
    let before = site.content();
    let ran = site.run("release 10.20.1.2");
    assert_eq!((ran.code, ran.out.as_str()), (64, ""));
    assert!(
        ran.err.contains("node-1/pods/web-1/eth0"),
        "it shows what it is about: {ran:?}"
    );
    assert!(
        ran.err.contains("\n  hint: ") && ran.err.contains("--yes"),
        "{ran:?}"
    );
    assert_eq!(site.content(), before);
}

#[test]
fn on_a_terminal_only_yes_is_yes() {
    let site = busy();
    let before = site.content();
    for answer in ["n", "", "yess", "Q"] {
        let asking = Asking::start(&site, "release 10.20.1.2");
        assert!(
            asking.said.contains("node-1/pods/web-1/eth0"),
            "{}",
            asking.said
        );
        let ran = asking.answer(answer);
        assert_eq!(ran.code, 1, "{answer:?}: {ran:?}");
        assert_eq!(site.content(), before, "{answer:?}");
    }
    let ran = Asking::start(&site, "release 10.20.1.2").answer("Y");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("released"), "{ran:?}");
}

#[test]
fn an_end_of_input_is_no_consent() {
    let site = busy();
    let before = site.content();
    // Ctrl-D.
    let ran = Asking::start(&site, "release 10.20.1.2").answer("\u{4}");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(site.content(), before);
}

#[test]
fn nothing_is_released_when_the_record_changed_while_the_operator_thought() {
    type Change = fn(&Site);
    let changes: [(&str, Change); 4] = [
        ("another holder", |site| {
            site.hold("10.20.1.2", "node-9", "other");
        }),
        ("the same holder, rewritten", |site| {
            site.hold("10.20.1.2", "node-1", "web-1");
        }),
        ("the attachment alone", |site| {
            let key = keys::attachment(&attachment("node-1", "web-1"));
            site.put(key, attached(&["10.20.1.2".parse().unwrap()]).encode());
        }),
        ("the attachment is gone", |site| {
            let key = keys::attachment(&attachment("node-1", "web-1"));
            site.commit(vec![Write::delete(key)]);
        }),
    ];
    for (case, change) in changes {
        let site = busy();
        let asking = Asking::start(&site, "release 10.20.1.2 -o json");
        change(&site);
        let before = site.content();
        let ran = asking.answer("y");
        assert_eq!(ran.code, 1, "{case}: {ran:?}");
        let rows: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(rows[0]["outcome"], "changed", "{case}");
        assert!(
            ran.err.contains("error: 10.20.1.2 changed since"),
            "{case}: {ran:?}"
        );
        assert_eq!(site.content(), before, "{case}");
    }
}

#[test]
fn a_pool_that_changed_while_the_operator_thought_is_not_deleted() {
    let site = Site::with_pool();
    site.done("pool drain prod");
    let asking = Asking::start(&site, "pool delete prod");
    site.done("pool extend prod --subnet 10.20.2.0/24");
    let before = site.content();
    let ran = asking.answer("y");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err
            .contains("error: pool prod changed since it was looked at"),
        "{ran:?}"
    );
    assert_eq!(site.content(), before);
}

#[test]
fn an_attachment_keeps_the_addresses_that_were_not_named() {
    let site = Site::with_pool();
    let id = attachment("node-1", "web-1");
    let addresses: [IpAddr; 2] = ["10.20.1.2".parse().unwrap(), "10.20.1.3".parse().unwrap()];
    let record = |address: IpAddr| {
        let unused = AddressRecord::unused("prod".parse().unwrap());
        Write::put(
            keys::address(address),
            unused.held_by(holder(&id, address)).encode(),
        )
    };
    let mut writes: Vec<_> = addresses.into_iter().map(record).collect();
    writes.push(Write::put(
        keys::attachment(&id),
        attached(&addresses).encode(),
    ));
    site.commit(writes);

    site.done("release 10.20.1.3 --yes");
    let content = site.content();
    let (_, value, _) = content
        .iter()
        .find(|(key, ..)| *key == keys::attachment(&id))
        .unwrap();
    assert_eq!(*value, attached(&addresses[..1]).encode());
    // Both at once, in one transaction.
    site.done("release 10.20.1.2 10.20.1.3 --yes");
    assert!(
        site.content()
            .iter()
            .all(|(key, ..)| *key != keys::attachment(&id))
    );
}

#[test]
fn records_that_cannot_be_read_are_left_alone() {
    let site = busy();
    site.put("/berth/v1/addresses/010.020.001.007".into(), "{");
    site.put("/berth/v1/addresses/010.020.001.008".into(), "{\"v\":2}");
    site.put(
        keys::attachment(&attachment("node-2", "web-2")),
        "{\"v\":2}",
    );
    let before = site.content();
    let (code, rows) = site.json("release 10.20.1.3 10.20.1.7 10.20.1.8 --yes");
    let rows = rows.as_array().unwrap().iter();
    let outcomes: Vec<_> = rows.map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!((code, outcomes), (1, vec!["newer", "malformed", "newer"]));
    assert_eq!(site.content(), before);
}

/// What another node's log would say is that node's to write.
#[test]
fn the_node_that_held_an_address_writes_down_that_it_was_taken_away() {
    let site = busy();
    let our_id = attached(&[]).node_id;
    for (address, id, lines) in [
        ("10.20.1.2", our_id.to_string(), 1),
        ("10.20.1.3", "f".repeat(32), 0),
    ] {
        let state = site.file(address);
        std::fs::create_dir(&state).expect("make the folder");
        std::fs::write(state.join("node-id"), id).expect("name the node");
        let state = state.display();
        site.done(&format!("release {address} --yes --state-dir {state}"));
        let log = format!("ip history {address} --node --state-dir {state}");
        let (_, changes) = site.json(&log);
        assert_eq!(changes.as_array().map(Vec::len), Some(lines), "{changes}");
        if lines > 0 {
            assert_eq!(changes[0]["what"], "taken-away", "{changes}");
        }
    }
}
