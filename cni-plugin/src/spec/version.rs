//! Versions of the specification, and what each allows.

use std::fmt;
use std::str::FromStr;

use super::{CniError, Code, Verb};

/// A version of the CNI specification that the plugin speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 0.3.1
    V0_3_1,
    /// 0.4.0: adds CHECK.
    V0_4_0,
    /// 1.0.0: results without the address family.
    V1_0_0,
    /// 1.1.0: adds STATUS and GC.
    #[default]
    V1_1_0,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::V0_3_1, Self::V0_4_0, Self::V1_0_0, Self::V1_1_0];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_3_1 => "0.3.1",
            Self::V0_4_0 => "0.4.0",
            Self::V1_0_0 => "1.0.0",
            Self::V1_1_0 => "1.1.0",
        }
    }

    /// Whether a configuration of this version may be called with `verb`.
    ///
    /// # Errors
    /// Code 1 for a verb that a later version brought.
    pub fn allows(self, verb: Verb) -> Result<(), CniError> {
        let since = match verb {
            Verb::Add | Verb::Del | Verb::Version => Self::V0_3_1,
            Verb::Check => Self::V0_4_0,
            Verb::Status | Verb::Gc => Self::V1_1_0,
        };
        if self >= since {
            return Ok(());
        }
        Err(CniError::new(
            Code::IncompatibleVersion,
            format!("cniVersion {self} of the configuration has no {verb}; it came with {since}"),
        )
        .details(supported()))
    }
}

fn supported() -> String {
    let all: Vec<_> = Version::ALL
        .iter()
        .map(|version| version.as_str())
        .collect();
    format!("supported versions: {}", all.join(", "))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Version {
    type Err = CniError;

    fn from_str(raw: &str) -> Result<Self, CniError> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == raw)
            .ok_or_else(|| {
                CniError::new(
                    Code::IncompatibleVersion,
                    format!("cniVersion {raw:?} of the configuration is not supported"),
                )
                .details(supported())
            })
    }
}

/// The version a configuration names, or the newest, for errors about that configuration.
pub fn written_version(config: &[u8]) -> Version {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct OnlyVersion {
        cni_version: String,
    }
    let named = serde_json::from_slice::<OnlyVersion>(config).ok();
    named
        .and_then(|named| named.cni_version.parse().ok())
        .unwrap_or_default()
}
