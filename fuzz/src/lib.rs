//! What must hold of every parser of outside data, whatever it is given.
//!
//! The functions are called by the fuzz targets (`scripts/fuzz.sh`), and with the committed seeds
//! by the tests here.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a claim that does not hold has to end the process"
)]

use berth_cni::bandwidth;
use berth_cni::files::Intent;
use berth_cni::ovs::Pending;
use berth_cni::ovs::message::{Decoder, Message};
use berth_cni::ovs::port::{self, Applied};
use berth_cni::spec::{CniError, Config, Invocation, MainConfig, Version};
use berth_types::{AttachmentRecord, BadRecord, LocalAttachment, Record};
use serde_json::Value;
use traffic_agent::http::headers;

/// The network configuration on stdin: read by each verb, it gives a value or an error object
/// that a runtime can read.
///
/// # Panics
/// When that does not hold.
pub fn cni_stdin(data: &[u8]) {
    let main = MainConfig::parse(data);
    if let Ok(MainConfig {
        common,
        link: _,
        misspelt: _,
    }) = &main
    {
        let runtime = &common.runtime;
        let limits = bandwidth::asked(runtime.bandwidth.as_ref(), &runtime.annotations);
        limits.err().iter().for_each(readable);
    }
    for error in [main.err(), Config::parse_delegated(data).err()] {
        error.iter().for_each(readable);
    }
}

/// The environment of a call: `CNI_ARGS`, and with it all the other variables, a line each.
///
/// # Panics
/// When the answer is neither a value nor a readable error object.
pub fn cni_args(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default().to_owned();
    let [args, container, ifname, netns] = [next(), next(), next(), next()];
    for verb in [
        "ADD",
        "DEL",
        "CHECK",
        "GC",
        "STATUS",
        "VERSION",
        args.as_str(),
    ] {
        let environment = |name: &str| match name {
            "CNI_COMMAND" => Some(verb.to_owned()),
            "CNI_ARGS" => Some(args.clone()),
            "CNI_CONTAINERID" => Some(container.clone()),
            "CNI_IFNAME" => Some(ifname.clone()),
            "CNI_NETNS" => Some(netns.clone()),
            _ => None,
        };
        if let Err(error) = Invocation::parse(environment) {
            readable(&error);
        }
    }
}

/// Records on the node's disk and of the store: one that is read is written back with the same
/// meaning, and one that is not is told apart from a newer one.
///
/// # Panics
/// When that does not hold.
pub fn records(data: &[u8]) {
    survives::<LocalAttachment>(data);
    survives::<AttachmentRecord>(data);
    survives::<Intent>(data);
    survives::<Pending>(data);
}

/// What a server at the socket of an Open vSwitch database says: it is cut into the same messages
/// however it arrives, and each is read as an answer to every question without an end in sight.
///
/// # Panics
/// When that does not hold.
pub fn ovsdb_replies(data: &[u8]) {
    let whole = messages(&[data]);
    let step = data.first().map_or(1, |first| usize::from(*first) + 1);
    let parts: Vec<_> = data.chunks(step).collect();
    assert_eq!(messages(&parts), whole, "in pieces of {step}");
    for message in whole {
        let Message::Answer {
            result: Ok(Value::Array(results)),
            ..
        } = message
        else {
            continue;
        };
        port::made(&results);
        let ours = port::seen(&results, 0).into_iter();
        let found: Vec<_> = ours.chain(port::leftovers(&results)).collect();
        let removals = port::remove_operations(&found).len();
        assert_eq!(removals, found.len() + 1, "one for each, and a comment");
        if port::applied(&results) == Applied::Yes {
            let ofport = results[1]["rows"][0]["ofport"].as_i64();
            assert!(
                ofport.is_some_and(|number| number > 0),
                "no number: {results:?}"
            );
        }
        port::refusal(&results);
    }
}

/// The messages in what arrives piece by piece, up to what is none.
fn messages(pieces: &[&[u8]]) -> Vec<Message> {
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.take() {
                Ok(Some(message)) => found.push(message),
                Ok(None) => break,
                Err(_) => return found,
            }
        }
    }
    found
}

fn survives<T: Record + PartialEq + std::fmt::Debug>(data: &[u8]) {
    match T::decode("key", data) {
        Ok(record) => {
            let again = T::decode("key", &record.encode()).expect("what is written is read");
            assert_eq!(record, again, "a record changes by being written");
        }
        Err(BadRecord::Newer { version, .. }) => assert!(version > 1, "not newer: {version}"),
        Err(BadRecord::Malformed { reason, .. }) => assert!(!reason.is_empty(), "no reason"),
    }
}

/// A runtime reads the error, and a person learns what it is about.
fn readable(error: &CniError) {
    let object: Value =
        serde_json::from_str(&error.to_json(Version::V1_1_0)).expect("an error is JSON");
    assert!(object["code"].is_u64(), "no code: {object}");
    let said = object["msg"].as_str().expect("a message");
    assert!(!said.is_empty(), "no message: {object}");
}

/// The headers of a request to the traffic agent, one on each line: host, authorization, what is
/// accepted. A host that is told apart is part of what was said, and no token is shown by chance.
///
/// # Panics
/// When that does not hold.
pub fn http_headers(data: &[u8]) {
    const TOKEN: &str = "0123456789abcdef";
    for line in data.split(|byte| *byte == b'\n') {
        // As a bearer token, or encoded in what is longer still.
        let shown = headers::shows_token(TOKEN, line).expect("it is a token");
        let bearer = line.trim_ascii_end().ends_with(TOKEN.as_bytes());
        let basic =
            line.to_ascii_lowercase().starts_with(b"basic ") && line.len() > 6 + TOKEN.len();
        assert!(!shown || bearer || basic, "{line:?}");
        let text = String::from_utf8_lossy(line);
        if let Some(host) = headers::host(&text) {
            assert!(
                !host.is_empty() && text.contains(host),
                "{text:?}: {host:?}"
            );
            assert!(
                !host.contains(['[', ']']) || !text.starts_with('['),
                "{text:?}: {host:?}"
            );
        }
        let (_form, _packing) = (headers::format(&text), headers::packing(&text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_seed(target: &str, claim: fn(&[u8])) {
        let folder = format!("{}/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
        let seeds = std::fs::read_dir(&folder).expect("the seeds are committed");
        let mut count = 0;
        for seed in seeds {
            claim(&std::fs::read(seed.expect("a seed").path()).expect("a seed"));
            count += 1;
        }
        assert!(count > 0, "no seed in {folder}");
    }

    #[test]
    fn every_seed_of_a_configuration_holds() {
        each_seed("cni-stdin", cni_stdin);
    }

    #[test]
    fn every_seed_of_an_environment_holds() {
        each_seed("cni-args", cni_args);
    }

    #[test]
    fn every_seed_of_a_record_holds() {
        each_seed("records", records);
    }

    #[test]
    fn every_seed_of_a_switchs_reply_holds() {
        each_seed("ovsdb-replies", ovsdb_replies);
    }

    #[test]
    fn every_seed_of_a_request_holds() {
        each_seed("http-headers", http_headers);
    }

    #[test]
    fn a_record_of_each_kind_is_among_the_seeds() {
        let seed = |name: &str| {
            let path = format!("{}/seeds/records/{name}.json", env!("CARGO_MANIFEST_DIR"));
            std::fs::read(path).expect("a seed")
        };
        LocalAttachment::decode("local", &seed("local")).expect("a node's record");
        AttachmentRecord::decode("attachment", &seed("attachment")).expect("the store's record");
        Intent::decode("intent", &seed("intent")).expect("an intent");
        Pending::decode("pending", &seed("pending")).expect("a port's note");
        let newer = Intent::decode("newer", &seed("newer"));
        assert!(matches!(newer, Err(BadRecord::Newer { .. })), "{newer:?}");
    }
}
