//! One connection to OVSDB's unix socket: transactions, and their answers in whatever order.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_ipam::uptime_ms;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use serde_json::{Value, json};

use super::message::{Decoder, Malformed, Message};

/// The database, as Open vSwitch calls it.
const DATABASE: &str = "Open_vSwitch";
/// How long the server has for an answer it need not wait for, where nobody is in a hurry.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// OVSDB that cannot be asked, or whose answer makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum OvsdbError {
    /// The socket is missing, or nobody listens.
    #[error("OVSDB at {}: {source}", path.display())]
    Away {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It did not answer in time: whether it did what was asked is unknown.
    #[error("OVSDB at {}: no answer within {waited:?}", path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// For how long.
        waited: Duration,
    },
    /// It answered something that is not the protocol.
    #[error("OVSDB at {}: {source}", path.display())]
    Malformed {
        /// The socket.
        path: PathBuf,
        /// What is wrong.
        source: Malformed,
    },
    /// It refused the whole transaction.
    #[error("OVSDB refused: {0}")]
    Refused(Value),
}

impl OvsdbError {
    /// Whether a later try may find it better.
    pub const fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Silent { .. })
    }
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    patience: Duration,
    stream: UnixStream,
    decoder: Decoder,
    requests: u64,
    /// Answers that came before anybody waited for them.
    early: BTreeMap<u64, Result<Value, Value>>,
}

/// A transaction that was sent, and whose answer is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    request: u64,
    operations: usize,
}

impl Client {
    /// Connects to the socket at `path`. The server has three seconds for each answer.
    ///
    /// # Errors
    /// [`OvsdbError::Away`].
    pub fn connect(path: &Path) -> Result<Self, OvsdbError> {
        Self::connect_for(path, PATIENCE)
    }

    /// The same, with `patience` for each answer.
    ///
    /// # Errors
    /// [`OvsdbError::Away`].
    pub fn connect_for(path: &Path, patience: Duration) -> Result<Self, OvsdbError> {
        let stream = connect_at_once(path).map_err(|source| OvsdbError::Away {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            patience,
            stream,
            decoder: Decoder::default(),
            requests: 0,
            early: BTreeMap::new(),
        })
    }

    /// Has the operations done, all of them or none (RFC 7047, section 4.1.3). The answer has one
    /// element for each, and one more when the whole failed in the end.
    ///
    /// `may_wait` is how long the operations themselves may wait for something.
    ///
    /// # Errors
    /// [`OvsdbError`].
    pub fn transact(
        &mut self,
        operations: &[Value],
        may_wait: Duration,
    ) -> Result<Vec<Value>, OvsdbError> {
        let sent = self.begin(operations)?;
        self.finish(sent, may_wait)
    }

    /// Sends operations as [`Client::transact`] does, and waits for nothing.
    ///
    /// # Errors
    /// [`OvsdbError`].
    pub fn begin(&mut self, operations: &[Value]) -> Result<Sent, OvsdbError> {
        let mut params = vec![json!(DATABASE)];
        params.extend_from_slice(operations);
        Ok(Sent {
            request: self.request("transact", &Value::Array(params))?,
            operations: operations.len(),
        })
    }

    /// Waits for the answer to what was sent.
    ///
    /// # Errors
    /// [`OvsdbError`].
    pub fn finish(&mut self, sent: Sent, may_wait: Duration) -> Result<Vec<Value>, OvsdbError> {
        let Sent {
            request,
            operations,
        } = sent;
        match self.answer(request, may_wait)? {
            Value::Array(results) if results.len() < operations => Err(OvsdbError::Malformed {
                path: self.path.clone(),
                source: Malformed::TooFew {
                    asked: operations,
                    told: results.len(),
                },
            }),
            Value::Array(results) => Ok(results),
            other => Err(OvsdbError::Refused(other)),
        }
    }

    /// Asks whether the server lives.
    ///
    /// # Errors
    /// [`OvsdbError`].
    pub fn echo(&mut self) -> Result<(), OvsdbError> {
        let request = self.request("echo", &json!([]))?;
        self.answer(request, Duration::ZERO).map(drop)
    }

    /// Whether nobody has that lock of the database (RFC 7047, section 4.1.8). It is asked for, and
    /// let go with the connection: to be called once.
    ///
    /// # Errors
    /// [`OvsdbError`].
    pub fn is_unlocked(&mut self, name: &str) -> Result<bool, OvsdbError> {
        let request = self.request("lock", &json!([name]))?;
        let answer = self.answer(request, Duration::ZERO)?;
        Ok(answer.get("locked") == Some(&json!(true)))
    }

    /// Sends a request; its number.
    fn request(&mut self, method: &str, params: &Value) -> Result<u64, OvsdbError> {
        self.requests += 1;
        let request = json!({"method": method, "params": params, "id": self.requests});
        let (deadline, waited) = self.deadline(Duration::ZERO);
        self.send(&request, deadline, waited)?;
        Ok(self.requests)
    }

    /// Waits for the answer to a request of ours; others' are kept for those who wait for them.
    fn answer(&mut self, request: u64, may_wait: Duration) -> Result<Value, OvsdbError> {
        let (deadline, waited) = self.deadline(may_wait);
        loop {
            if let Some(result) = self.early.remove(&request) {
                return result.map_err(OvsdbError::Refused);
            }
            match self.receive(deadline, waited)? {
                Message::Answer { id, result } => {
                    let asked = id.as_u64().filter(|id| (1..=self.requests).contains(id));
                    self.early.extend(asked.map(|id| (id, result)));
                }
                Message::Echo { id, params } => {
                    let answer = json!({"result": params, "error": null, "id": id});
                    self.send(&answer, deadline, waited)?;
                }
                Message::Other => {}
            }
        }
    }

    /// Until when the server has time that may wait for so long itself, and how long that is.
    fn deadline(&self, may_wait: Duration) -> (u64, Duration) {
        let waited = self.patience + may_wait;
        let millis = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        (uptime_ms().saturating_add(millis), waited)
    }

    fn send(&mut self, message: &Value, deadline: u64, waited: Duration) -> Result<(), OvsdbError> {
        let left = self.left(deadline, waited)?;
        let bytes = message.to_string().into_bytes();
        let sent = self
            .stream
            .set_write_timeout(Some(left))
            .and_then(|()| self.stream.write_all(&bytes));
        sent.map_err(|source| self.broken(source, waited))
    }

    fn receive(&mut self, deadline: u64, waited: Duration) -> Result<Message, OvsdbError> {
        let mut buffer = [0; 4096];
        loop {
            let next = self.decoder.take();
            let message = next.map_err(|source| OvsdbError::Malformed {
                path: self.path.clone(),
                source,
            })?;
            if let Some(message) = message {
                return Ok(message);
            }
            let left = self.left(deadline, waited)?;
            let read = self
                .stream
                .set_read_timeout(Some(left))
                .and_then(|()| self.stream.read(&mut buffer));
            match read {
                Ok(0) => {
                    let closed = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Err(self.broken(closed, waited));
                }
                Ok(length) => self.decoder.push(buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.broken(source, waited)),
            }
        }
    }

    /// The time that is left until `deadline`.
    fn left(&self, deadline: u64, waited: Duration) -> Result<Duration, OvsdbError> {
        match deadline.saturating_sub(uptime_ms()) {
            0 => Err(OvsdbError::Silent {
                path: self.path.clone(),
                waited,
            }),
            left => Ok(Duration::from_millis(left)),
        }
    }

    fn broken(&self, source: io::Error, waited: Duration) -> OvsdbError {
        let path = self.path.clone();
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                OvsdbError::Silent { path, waited }
            }
            _ => OvsdbError::Away { path, source },
        }
    }
}

/// Connects without waiting: a server that hangs lets its queue fill up, and then even this would
/// wait for ever.
fn connect_at_once(path: &Path) -> io::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use nix::sys::socket::{Backlog, bind, listen};

    use super::*;

    fn socket_in(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("db.sock")
    }

    /// Answers the first connection with these words, whatever it asks.
    fn answering(words: &'static str, then: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().unwrap();
        let path = socket_in(&folder);
        let listener = UnixListener::bind(&path).unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                let (mut guest, _) = listener.accept().unwrap();
                let mut request = [0; 4096];
                assert!(guest.read(&mut request).unwrap() > 0);
                guest.write_all(words.as_bytes()).unwrap();
                // Until the guest leaves.
                while guest.read(&mut request).is_ok_and(|length| length > 0) {}
            });
            then(&path);
        });
    }

    fn ask(path: &Path) -> Result<Vec<Value>, OvsdbError> {
        let patience = Duration::from_millis(200);
        let operations = [json!({"op": "comment", "comment": "x"})];
        Client::connect_for(path, patience)?.transact(&operations, Duration::ZERO)
    }

    #[test]
    fn an_answer_is_found_among_what_else_the_server_says() {
        let words = concat!(
            r#"{"method":"echo","params":[1],"id":"echo"}"#,
            "\n",
            r#"{"method":"update","params":[null,{}],"id":null}"#,
            r#"{"id":77,"result":[{"others":1}],"error":null}"#,
            r#" {"id":1,"result":[{"mine":1}],"error":null}"#,
        );
        answering(words, |path| {
            assert_eq!(ask(path).unwrap(), [json!({"mine": 1})]);
        });
    }

    #[test]
    fn answers_find_those_who_wait_for_them_in_any_order() {
        let words = concat!(
            r#"{"id":2,"result":[{"second":1}],"error":null}"#,
            r#"{"id":1,"result":[{"first":1}],"error":null}"#,
        );
        answering(words, |path| {
            let mut client = Client::connect_for(path, Duration::from_millis(200)).unwrap();
            let [first, second] = [(); 2].map(|()| client.begin(&[json!({})]).unwrap());
            let answer = client.finish(first, Duration::ZERO).unwrap();
            assert_eq!(answer, [json!({"first": 1})]);
            let answer = client.finish(second, Duration::ZERO).unwrap();
            assert_eq!(answer, [json!({"second": 1})]);
        });
    }

    #[test]
    fn an_answer_that_tells_of_too_few_operations_is_refused() {
        answering(r#"{"id":1,"result":[],"error":null}"#, |path| {
            let error = ask(path).unwrap_err();
            assert!(!error.is_away(), "{error}");
            assert!(error.to_string().contains("OVSDB at "), "{error}");
        });
    }

    #[test]
    fn a_server_that_says_nothing_useful_is_given_up_in_time() {
        for words in ["", "{", "   ", r#"{"id":2,"result":[{}],"error":null}"#] {
            answering(words, |path| {
                let error = ask(path).unwrap_err();
                assert!(
                    matches!(error, OvsdbError::Silent { .. }),
                    "{words}: {error}"
                );
            });
        }
    }

    #[test]
    fn a_queue_that_is_full_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = socket_in(&folder);
        let none = SockFlag::empty();
        let server = socket(AddressFamily::Unix, SockType::Stream, none, None).unwrap();
        bind(server.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        listen(&server, Backlog::new(0).unwrap()).unwrap();
        let guests: Vec<_> = (0..4).map(|_| Client::connect(&path)).collect();
        let refused = guests.iter().filter_map(|guest| guest.as_ref().err());
        assert!(refused.clone().count() >= 2, "{guests:?}");
        assert!(refused.clone().all(OvsdbError::is_away), "{guests:?}");
    }

    #[test]
    fn nobody_at_the_socket_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = socket_in(&folder);
        assert!(ask(&path).unwrap_err().is_away());
        drop(UnixListener::bind(&path).unwrap());
        assert!(ask(&path).unwrap_err().is_away());
        let too_long = PathBuf::from(format!("/{}", "x".repeat(200)));
        assert!(ask(&too_long).unwrap_err().is_away());
    }
}
