//! JSON values with a schema version, read so that nothing foreign is ever overwritten.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The schema this program writes, as the field `v` of every record.
///
/// It has one value; a record of any other does not parse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchemaVersion;

impl SchemaVersion {
    const WRITTEN: u32 = 1;
}

impl Serialize for SchemaVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(Self::WRITTEN)
    }
}

impl<'de> Deserialize<'de> for SchemaVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            Self::WRITTEN => Ok(Self),
            other => Err(serde::de::Error::custom(format_args!(
                "schema version {other}"
            ))),
        }
    }
}

/// A record that this program must not touch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// A later release wrote it.
    #[error("{key}: written in schema version {version}, newer than this program's {written}",
            written = SchemaVersion::WRITTEN)]
    Newer {
        /// Where it stands.
        key: String,
        /// The version it names.
        version: u32,
    },
    /// Not a record of this kind.
    #[error("{key}: malformed: {reason}")]
    Malformed {
        /// Where it stands.
        key: String,
        /// What the parser said.
        reason: String,
    },
}

/// A value kept in the store or on disk as one JSON object.
pub trait Record: Serialize + DeserializeOwned {
    /// The record as it is written.
    #[expect(
        clippy::expect_used,
        reason = "fails only on maps with keys that are no strings"
    )]
    fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("records hold strings, numbers and lists of them")
    }

    /// Reads a record that stands under `key`, which is named in errors.
    ///
    /// # Errors
    /// [`BadRecord::Newer`] or [`BadRecord::Malformed`]; leave such a record alone and report it.
    fn decode(key: impl fmt::Display, value: &[u8]) -> Result<Self, BadRecord> {
        serde_json::from_slice(value).map_err(|error| {
            #[derive(Deserialize)]
            struct OnlyVersion {
                v: u32,
            }
            match serde_json::from_slice::<OnlyVersion>(value) {
                Ok(OnlyVersion { v }) if v > SchemaVersion::WRITTEN => BadRecord::Newer {
                    key: key.to_string(),
                    version: v,
                },
                _ => BadRecord::Malformed {
                    key: key.to_string(),
                    reason: error.to_string(),
                },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlockRecord;

    #[test]
    fn newer_and_malformed_records_are_told_apart() {
        let read = |raw: &str| BlockRecord::decode("blocks/x", raw.as_bytes());
        assert!(read(r#"{"v":1,"node":"n1"}"#).is_ok());
        assert!(matches!(
            read(r#"{"v":2,"node":"n1"}"#),
            Err(BadRecord::Newer { version: 2, .. })
        ));
        for bad in [
            "",
            "null",
            "[]",
            r#"{"node":"n1"}"#,
            r#"{"v":1}"#,
            r#"{"v":1,"node":"n1","x":1}"#,
        ] {
            assert!(
                matches!(read(bad), Err(BadRecord::Malformed { .. })),
                "case: {bad:?}"
            );
        }
    }
}
