//! Something at the database's socket that is no OVSDB, or a broken one.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::json;

use super::{nowhere, pending};
use crate::ground::{Ground, Kind, NARROW, NOTHING};

/// What it does with a connection.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Closes it.
    HangsUp,
    /// Reads the request, and closes it.
    HangsUpLater,
    /// Sends this for every piece of a request, and keeps the connection.
    Says(&'static str),
    /// Sends this over and over.
    Floods(&'static str),
}

/// Bytes for which every ADD has to fail.
const MANNERS: &[Manner] = &[
    Manner::HangsUp,
    Manner::HangsUpLater,
    Manner::Says("HTTP/1.1 400 Bad Request\r\n\r\n"),
    Manner::Says("\0\u{1}\u{2}"),
    Manner::Says("[1, 2, 3]"),
    Manner::Says("{\"id\":1"),
    Manner::Says("{}"),
    Manner::Says(r#"{"id":1,"result":null,"error":null}"#),
    Manner::Says(r#"{"id":1,"result":[],"error":null}"#),
    Manner::Says(r#"{"id":1,"result":{},"error":null}"#),
    Manner::Says(r#"{"id":1,"result":"yes","error":null}"#),
    Manner::Says(r#"{"id":1,"result":null,"error":"unknown database"}"#),
    Manner::Says(r#"{"id":1,"error":{"error":"not allowed","details":"no"}}"#),
    Manner::Says(r#"{"id":1,"result":[{"error":"timed out"}],"error":null}"#),
    Manner::Says(r#"{"id":1,"result":[{},{},{},{},{},{"error":"x"}],"error":null}"#),
    Manner::Says(r#"{"id":1,"result":[{},null,7,"x",[]],"error":null}"#),
    Manner::Says(r#"{"id":99,"result":[{},{},{},{},{}],"error":null}"#),
    Manner::Says(r#"{"id":"1","result":[{},{},{},{},{}],"error":null}"#),
    // All went well, twice; but of the interface nothing is known.
    Manner::Says(r#"{"id":1,"result":[{},{},{},{},{}],"error":null}"#),
    Manner::Says(r#"{"id":1,"result":[{},{"rows":[{"ofport":0}]}],"error":null}"#),
    Manner::Says(r#"{"id":1,"result":[{},{"rows":[{"ofport":"1"}]}],"error":null}"#),
    Manner::Says(r#"{"id":1,"result":[{},{"rows":7}],"error":null}"#),
    Manner::Floods(r#"{"method":"echo","params":[],"id":"echo"}"#),
    Manner::Floods(r#"{"method":"update","params":[null,{}],"id":null}"#),
    Manner::Floods("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
    Manner::Floods(r#"{"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"#),
    Manner::Floods("                                "),
];

/// It listens until it is dropped.
struct Impostor {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Impostor {
    fn start(listener: UnixListener, manner: Manner) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        listener
            .set_nonblocking(true)
            .expect("do not wait for connections");
        let serve = move || {
            let mut guests = Vec::new();
            while !end.load(Ordering::Relaxed) {
                if let Ok((guest, _)) = listener.accept() {
                    guests.push(thread::spawn(move || answer(guest, manner)));
                }
                thread::park_timeout(Duration::from_millis(1));
            }
            for guest in guests {
                guest.join().expect("a guest was served");
            }
        };
        Self {
            ended,
            thread: Some(thread::spawn(serve)),
        }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Treats one guest until it leaves. The guest is another process, whose deadlines are tested.
fn answer(mut guest: UnixStream, manner: Manner) {
    let mut request = [0; 8192];
    match manner {
        Manner::HangsUp => {}
        Manner::HangsUpLater => drop(guest.read(&mut request)),
        Manner::Says(words) => {
            while guest.read(&mut request).is_ok_and(|length| length > 0) {
                if guest.write_all(words.as_bytes()).is_err() {
                    break;
                }
            }
        }
        Manner::Floods(words) => {
            let flood = words.repeat(128);
            while guest.write_all(flood.as_bytes()).is_ok() {}
        }
    }
}

#[test]
fn an_add_at_something_that_is_no_database_fails_in_time_and_leaves_nothing() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let socket = ground.node().file("impostor.sock");
    for manner in MANNERS {
        let listener = UnixListener::bind(&socket).expect("listen");
        let impostor = Impostor::start(listener, *manner);
        let container = ground
            .container("a")
            .with("/driver", json!("ovs"))
            .with("/bridge", json!("br-pods"))
            .with("/ovsdb", json!(socket));
        let reply = container.add();
        let error = reply.failure();
        assert!([7, 11, 999].contains(&error.code), "{manner:?}: {error:?}");
        assert!(!error.details.is_empty(), "{manner:?}: {error:?}");
        assert!(error.msg.len() < 1000, "{manner:?}: {error:?}");
        assert!(
            reply.elapsed < Duration::from_secs(25),
            "{manner:?}: {:?}",
            reply.elapsed
        );
        assert_eq!(container.netns.links(), [""; 0], "{manner:?}");
        let reply = container.del();
        reply.success();
        assert!(
            reply.elapsed < Duration::from_secs(15),
            "{manner:?}: {:?}",
            reply.elapsed
        );
        drop(impostor);
        fs::remove_file(&socket).expect("remove the socket");
        assert_eq!(ground.held(), NOTHING, "{manner:?}");
        assert_eq!(
            ground.node().netns().links(),
            [e2e::lan::UPLINK],
            "{manner:?}"
        );
    }
}

/// The interface goes and the address is free, whatever the socket says; the port waits.
#[test]
fn a_del_at_something_that_is_no_database_removes_all_but_the_port() {
    let ground = Ground::switched(Kind::Embedded, NARROW);
    let socket = ground.ovs().socket();
    // Some, as each takes the patience that a DEL has.
    for manner in MANNERS.iter().step_by(3) {
        let container = ground.container("a");
        container.add().success();
        ground.ovs().hide_database();
        let listener = UnixListener::bind(&socket).expect("listen");
        let impostor = Impostor::start(listener, *manner);
        let call = e2e::plugin::Call {
            netns: Some(nowhere()),
            ..container.call_of("DEL")
        };
        let reply = container.answer(&call);
        reply.success();
        assert!(
            reply.elapsed < Duration::from_secs(15),
            "{manner:?}: {:?}",
            reply.elapsed
        );
        drop(impostor);
        ground.ovs().show_database();
        assert_eq!(container.netns.links(), [""; 0], "{manner:?}");
        assert_eq!(ground.held(), NOTHING, "{manner:?}");
        assert!(pending(&ground).len() <= 1, "{manner:?}");
        // What claims that there is no such port is believed: only the next ADD may tell.
        container.add().success();
        assert_eq!(ground.ovs().ports().len(), 1, "{manner:?}");
        container.del().success();
        ground.assert_clean(&format!("{manner:?}"));
    }
}
