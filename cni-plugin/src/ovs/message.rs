//! Messages of OVSDB's protocol: JSON-RPC 1.0, one object after the other without any framing
//! (RFC 7047, section 4). Pure.

use serde_json::{Map, Value};

/// Most bytes of one message. Answers here have a few hundred.
const LONGEST: usize = 1 << 20;

/// A message of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The answer to a request of ours.
    Answer {
        /// The request's id.
        id: Value,
        /// What came of it, or why nothing did.
        result: Result<Value, Value>,
    },
    /// The server asks whether this end lives; to be answered with the same parameters.
    Echo {
        /// The request's id.
        id: Value,
        /// What is to be sent back.
        params: Value,
    },
    /// Anything else: a notification that nobody here asked for.
    Other,
}

/// Bytes that are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// No JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// JSON, but no object.
    #[error("not a JSON object")]
    NoObject,
    /// An object without end.
    #[error("a message of more than {LONGEST} bytes")]
    TooLong,
    /// An answer that leaves out operations.
    #[error("an answer to {told} of {asked} operations")]
    TooFew {
        /// How many operations there were.
        asked: usize,
        /// How many it tells of.
        told: usize,
    },
}

/// Cuts what arrives into messages.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
}

impl Decoder {
    /// Takes what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message; `None` until more arrives.
    ///
    /// # Errors
    /// [`Malformed`]; nothing sensible follows on that connection.
    pub fn take(&mut self) -> Result<Option<Message>, Malformed> {
        let mut values = serde_json::Deserializer::from_slice(&self.bytes).into_iter::<Value>();
        let value = match values.next() {
            None => {
                // Nothing but white space.
                self.bytes.clear();
                return Ok(None);
            }
            Some(Err(error)) if error.is_eof() && self.bytes.len() <= LONGEST => return Ok(None),
            Some(Err(error)) if error.is_eof() => return Err(Malformed::TooLong),
            Some(Err(error)) => return Err(Malformed::NotJson(error.to_string())),
            Some(Ok(value)) => value,
        };
        let used = values.byte_offset();
        self.bytes.drain(..used);
        match value {
            Value::Object(object) => Ok(Some(Message::read(object))),
            _ => Err(Malformed::NoObject),
        }
    }
}

impl Message {
    fn read(mut object: Map<String, Value>) -> Self {
        let mut take = |name: &str| object.remove(name).unwrap_or(Value::Null);
        let id = take("id");
        match take("method") {
            Value::String(method) if method == "echo" => Self::Echo {
                id,
                params: take("params"),
            },
            Value::String(_) => Self::Other,
            _ => Self::Answer {
                id,
                result: match (take("result"), take("error")) {
                    (result, Value::Null) => Ok(result),
                    (_, error) => Err(error),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all(decoder: &mut Decoder) -> Vec<Message> {
        std::iter::from_fn(|| decoder.take().expect("messages")).collect()
    }

    #[test]
    fn messages_are_cut_wherever_they_end() {
        let bytes =
            br#"{"id":1,"result":[{}],"error":null}{"id":"echo","method":"echo","params":[]}
            {"id":null,"method":"update","params":[null,{}]}{"id":2,"result":null,"error":"no"}"#;
        let expected = [
            Message::Answer {
                id: json!(1),
                result: Ok(json!([{}])),
            },
            Message::Echo {
                id: json!("echo"),
                params: json!([]),
            },
            Message::Other,
            Message::Answer {
                id: json!(2),
                result: Err(json!("no")),
            },
        ];
        for step in [1, 2, 7, 64, bytes.len()] {
            let mut decoder = Decoder::default();
            let mut messages = Vec::new();
            for part in bytes.chunks(step) {
                decoder.push(part);
                messages.extend(all(&mut decoder));
            }
            assert_eq!(messages, expected, "in steps of {step}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bad in ["x", "[1]", "7 ", "{\"a\" 1}", "\"text\""] {
            let mut decoder = Decoder::default();
            decoder.push(bad.as_bytes());
            assert!(decoder.take().is_err(), "case: {bad}");
        }
    }

    #[test]
    fn a_message_without_end_is_given_up() {
        let mut decoder = Decoder::default();
        decoder.push(b"{\"a\":\"");
        assert_eq!(decoder.take(), Ok(None));
        decoder.push(&vec![b'x'; LONGEST]);
        assert_eq!(decoder.take(), Err(Malformed::TooLong));
    }

    #[test]
    fn white_space_without_end_is_not_kept() {
        let mut decoder = Decoder::default();
        for _ in 0..3 {
            decoder.push(&[b' '; 4096]);
            assert_eq!(decoder.take(), Ok(None));
            assert!(decoder.bytes.is_empty());
        }
    }
}
