//! `cnictl store` and `cnictl node`: a store that was set back, from the operator's chair.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use berth_types::{
    AddressRecord, LocalAddress, LocalAttachment, LocalLink, MacAddr, NetnsRef, Record as _,
    SchemaVersion, keys,
};
use serde_json::{Value, json};

use crate::support::{Site, attachment, finish, holder};

/// A node's folders, as arguments.
fn here(site: &Site, node: &str) -> String {
    let (state, run) = (site.file(node), run_dir(site, node));
    fs::create_dir_all(run.join("attachments")).expect("make the folder");
    format!(
        "--node {node} --state-dir {} --run-dir {}",
        state.display(),
        run.display()
    )
}

/// As [`here`], for commands that look at no interfaces.
fn identity(site: &Site, node: &str) -> String {
    format!("--node {node} --state-dir {}", site.file(node).display())
}

fn run_dir(site: &Site, node: &str) -> PathBuf {
    site.file(node).join("run")
}

/// A container that lives on the node, and of which the store has nothing.
fn lives(site: &Site, node: &str, container: &str, address: &str) {
    here(site, node);
    let netns = PathBuf::from("/proc/self/ns/net");
    let id = attachment(node, container);
    let ip = address.parse().unwrap();
    let holder = holder(&id, ip);
    let local = LocalAttachment {
        v: SchemaVersion,
        attachment: id.clone(),
        incarnation: holder.incarnation.clone(),
        pod: None,
        workload: None,
        netns: NetnsRef {
            inode: fs::metadata(&netns).expect("our namespace").ino(),
            path: netns,
        },
        link: LocalLink {
            mac: MacAddr::of_address(ip),
            ifindex: 2,
            master: "eth0".into(),
            vlan: None,
            port: None,
            host_end: None,
            ingress_rate: None,
            egress_rate: None,
        },
        addresses: vec![LocalAddress {
            cidr: format!("{address}/24").parse().unwrap(),
            gateway: None,
            record: Some(AddressRecord::unused("prod".parse().unwrap()).held_by(holder)),
        }],
        revision: Some(99),
        ipam: None,
        result: Value::Null,
    };
    let file = run_dir(site, node).join(format!("attachments/{container}-eth0.json"));
    fs::write(file, local.encode()).expect("write the record");
}

/// A restored store that knows node-1 and node-2; node-1 has one container more than it knows.
fn restored() -> Site {
    let site = Site::with_pool();
    site.hold("10.20.1.2", "node-1", "web-1");
    site.hold("10.20.1.3", "node-2", "web-2");
    lives(&site, "node-1", "web-3", "10.20.1.4");
    site
}

#[test]
fn an_open_store_is_fine_and_has_nothing_to_open() {
    let site = restored();
    let (code, status) = site.json("store status");
    assert_eq!((code, &status["state"]), (0, &json!("open")));
    assert_eq!(status["lineage"].as_str().map(str::len), Some(32));
    assert_eq!(status["nodes"][0]["answer"], "not-asked");
    let ran = site.run("store open --yes");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("the store is not closed"), "{ran:?}");
}

#[test]
fn a_closed_store_says_why_and_whom_it_waits_for() {
    let site = restored();
    let reason = "restored from Monday's backup";
    let closed = finish(&mut site.command(["store", "close", "--reason", reason]));
    assert_eq!(closed.code, 0, "{closed:?}");
    let (code, status) = site.json("store status");
    assert_eq!(code, 1, "closed is a finding");
    assert_eq!(status["reason"], reason);
    assert_eq!(status["missing"], json!(["node-1", "node-2"]));
    let text = site.run("store status").out;
    assert!(
        text.contains("Waits for") && text.contains("node-1, node-2"),
        "{text}"
    );
    let (code, again) = site.json("store close --reason twice");
    assert_eq!((code, &again["outcome"]), (0, &json!("already-closed")));
    assert_eq!(again["reason"], reason);
}

#[test]
fn the_store_opens_when_all_have_answered_and_never_before() {
    let site = restored();
    site.done("store close --reason restored");
    let ran = site.run("store open --yes");
    assert_eq!(ran.code, 1);
    for word in [
        "node-1, node-2",
        "cnictl node republish",
        "cnictl node dead",
    ] {
        assert!(ran.err.contains(word), "{word}: {ran:?}");
    }
    let line = format!("node republish {}", here(&site, "node-1"));
    let (code, report) = site.json(&line);
    assert_eq!((code, &report["answered"]), (0, &json!(true)));
    let rows = report["attachments"].as_array().expect("rows");
    let outcomes: Vec<_> = rows.iter().map(|row| &row["outcome"]).collect();
    // The support's attachments are another machine's, so only the living one is judged.
    assert_eq!(outcomes, ["written"]);
    assert_eq!(site.run("store open --yes").code, 1, "node-2 is missing");
    let before = site.content();
    site.done("node dead node-2 --dry-run");
    assert_eq!(site.content(), before);
    site.done("node dead node-2 --yes");
    let before = site.content();
    let ran = site.run("store open --dry-run");
    assert!(
        ran.err.contains("kubectl get nodes") && ran.err.contains("node-1"),
        "{ran:?}"
    );
    assert_eq!(site.content(), before);
    site.done("store open --yes");
    assert_eq!(site.json("store status").0, 0);
    let (_, shown) = site.json("ip show 10.20.1.4");
    assert_eq!(
        shown["holder"]["attachment"], "node-1/pods/web-3/eth0",
        "{shown}"
    );
}

#[test]
fn a_conflict_names_both_holders_and_what_to_do() {
    let site = restored();
    site.hold("10.20.1.4", "node-2", "web-9");
    site.done("store close --reason restored");
    let line = format!("node republish {}", here(&site, "node-1"));
    let ran = site.run(&line);
    assert_eq!(ran.code, 1);
    for word in [
        "node-1/pods/web-3/eth0",
        "10.20.1.4 is held by node-2/pods/web-9/eth0",
        "cnictl release 10.20.1.4",
        "Answered  no",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    let left = site.run(&format!("{line} --leave-conflicts"));
    assert_eq!(left.code, 1, "a conflict that is left is still one");
    assert!(left.out.contains("Answered  yes"), "{left:?}");
    let (_, shown) = site.json("ip show 10.20.1.4");
    assert_eq!(shown["holder"]["attachment"], "node-2/pods/web-9/eth0");
}

#[test]
fn an_open_store_is_not_republished_to() {
    let site = restored();
    let before = site.content();
    let ran = site.run(&format!("node republish {}", here(&site, "node-1")));
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("nothing to republish"), "{ran:?}");
    assert_eq!(site.content(), before);
}

#[test]
fn case_76_a_name_is_adopted_only_when_that_is_said() {
    let site = restored();
    site.done("store close --reason restored");
    site.done(&format!("node republish {}", here(&site, "node-1")));
    fs::remove_file(site.file("node-1").join("node-id")).expect("installed anew");
    let ran = site.run(&format!("node republish {}", here(&site, "node-1")));
    assert_eq!(ran.code, 1);
    for word in ["belongs to another machine", "cnictl node adopt"] {
        assert!(ran.err.contains(word), "{word}: {ran:?}");
    }
    let line = format!("node adopt {}", identity(&site, "node-1"));
    let before = site.content();
    let ran = site.run(&line);
    assert_eq!(ran.code, 64, "nobody is there to be asked");
    let dry = site.run(&format!("{line} --dry-run"));
    assert_eq!(dry.code, 0);
    assert!(
        dry.err.contains("- node id") && dry.err.contains("+ node id"),
        "{dry:?}"
    );
    assert!(
        dry.err
            .contains("node-1/pods/web-3/eth0 was made by another machine"),
        "{dry:?}"
    );
    assert_eq!(site.content(), before);
    let (code, adopted) = site.json(&format!("{line} --yes"));
    assert_eq!((code, &adopted["outcome"]), (0, &json!("adopted")));
    let (code, again) = site.json(&format!("{line} --yes"));
    assert_eq!((code, &again["outcome"]), (0, &json!("already-ours")));
    let (_, shown) = site.json("node show node-1");
    assert_eq!(
        shown["answer"], "missing",
        "the answer was the other machine's"
    );
    site.done(&format!("node republish {}", here(&site, "node-1")));
}

#[test]
fn nodes_are_listed_with_what_the_store_has_of_them() {
    let site = restored();
    let (code, nodes) = site.json("node list");
    assert_eq!(code, 0);
    assert_eq!(nodes[0]["node"], "node-1");
    assert_eq!(nodes[0]["attachments"], 1);
    assert_eq!(
        nodes[0]["nodeId"],
        Value::Null,
        "nobody has written its name down"
    );
    assert_eq!(nodes.as_array().map(Vec::len), Some(2));
    let unknown = site.run("node show node-9");
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("node-9 is not known"), "{unknown:?}");
}

#[test]
fn records_that_cannot_be_read_are_told_and_keep_the_store_closed() {
    let site = restored();
    site.put(format!("{}node-1", keys::NODES), "{}");
    let (code, nodes) = site.json("node list");
    assert_eq!(code, 1);
    assert!(
        nodes[0]["problem"]
            .as_str()
            .is_some_and(|p| p.contains("malformed"))
    );
    let told = site.run("node list");
    assert!(told.err.contains("nodes/node-1: malformed"), "{told:?}");
    site.put(keys::CLOSED.to_owned(), r#"{"v":9}"#);
    let text = site.run("store status").out;
    assert!(
        !text.contains("an-operator"),
        "who did it is not known: {text}"
    );
    let (code, status) = site.json("store status");
    assert_eq!((code, &status["state"]), (1, &json!("closed")));
    assert!(
        status["problem"]
            .as_str()
            .is_some_and(|p| p.contains("newer")),
        "{status}"
    );
    let before = site.content();
    for line in [
        "store open --yes",
        "store close --reason x",
        "node dead node-2 --yes",
    ] {
        let ran = site.run(line);
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        assert!(ran.err.contains("schema version 9"), "{line}: {ran:?}");
    }
    assert_eq!(
        site.content(),
        before,
        "a newer release's closure is left alone"
    );
}

#[test]
fn a_reason_is_needed() {
    let site = restored();
    assert_eq!(site.run("store close").code, 64);
    let empty = finish(&mut site.command(["store", "close", "--reason", " "]));
    assert_eq!(empty.code, 64, "{empty:?}");
}

#[test]
fn a_folder_of_records_that_is_not_there_is_no_answer() {
    let site = restored();
    site.done("store close --reason restored");
    let typo = format!(
        "{} --run-dir {}",
        identity(&site, "node-1"),
        site.file("typo").display()
    );
    let before = site.content();
    let ran = site.run(&format!("node republish {typo}"));
    assert_eq!(ran.code, 2, "{ran:?}");
    for word in ["typo", "runDir"] {
        assert!(ran.err.contains(word), "{word}: {ran:?}");
    }
    assert_eq!(site.content(), before, "nothing was answered");
}
