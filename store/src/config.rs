//! Which store, and how to reach it.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which store to use: `{"etcd": {…}}` or `{"embedded": "/folder"}`.
///
/// On a command line: `etcd:URL[,URL…]` or `embedded:FOLDER`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum StoreConfig {
    /// An etcd cluster.
    Etcd(EtcdConfig),
    /// A folder on this machine, shared by the processes of one PID namespace.
    Embedded(PathBuf),
}

/// How to reach an etcd cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EtcdConfig {
    /// `http://host:port` or `https://host:port`, at least one. Tried in turn, from a place drawn
    /// at random, so that a cluster's nodes spread over its members.
    pub endpoints: Vec<String>,
    /// PEM file with the certificate authorities to trust; the system's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// PEM file with our certificate; goes with `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// PEM file with our certificate's key; goes with `cert`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// How long one request may take on one endpoint, in milliseconds, 50 to 60,000.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
}

const fn default_timeout_ms() -> u64 {
    3000
}

impl EtcdConfig {
    /// An unencrypted cluster at `endpoints`, with the default deadline.
    pub fn plain(endpoints: impl IntoIterator<Item = String>) -> Self {
        Self {
            endpoints: endpoints.into_iter().collect(),
            ca: None,
            cert: None,
            key: None,
            timeout_ms: default_timeout_ms(),
        }
    }

    /// [`EtcdConfig::timeout_ms`] as a duration.
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// A store configuration that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {value:?} {problem}")]
pub struct ConfigError {
    /// The offending field.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What is wrong with it, and what would be right.
    pub problem: &'static str,
}

impl StoreConfig {
    /// Checks what serde cannot: ranges, schemes, pairs.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Self::Embedded(path) if path.is_absolute() => Ok(()),
            Self::Embedded(path) => Err(ConfigError {
                field: "store.embedded",
                value: path.display().to_string(),
                problem: "is not an absolute path",
            }),
            Self::Etcd(etcd) => etcd.validate(),
        }
    }
}

impl EtcdConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |field, value: &str, problem| {
            Err(ConfigError {
                field,
                value: value.to_owned(),
                problem,
            })
        };
        if self.endpoints.is_empty() {
            return wrong("store.etcd.endpoints", "[]", "names no endpoint");
        }
        for url in &self.endpoints {
            let rest = url
                .strip_prefix("http://")
                .or_else(|| url.strip_prefix("https://"));
            let Some(rest) = rest else {
                return wrong(
                    "store.etcd.endpoints",
                    url,
                    "must begin with http:// or https://",
                );
            };
            let port = rest
                .rsplit_once(':')
                .map(|(_, port)| port.trim_end_matches('/'));
            if port.is_none_or(|port| port.parse::<u16>().is_err()) {
                return wrong("store.etcd.endpoints", url, "must end with :PORT");
            }
        }
        if self.cert.is_some() != self.key.is_some() {
            return wrong("store.etcd.cert", "", "and store.etcd.key go together");
        }
        if !(50..=60_000).contains(&self.timeout_ms) {
            let value = self.timeout_ms.to_string();
            return wrong(
                "store.etcd.timeoutMs",
                &value,
                "is not between 50 and 60000",
            );
        }
        Ok(())
    }
}

impl FromStr for StoreConfig {
    type Err = ConfigError;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let parsed = match raw.split_once(':') {
            Some(("embedded", folder)) => Self::Embedded(PathBuf::from(folder)),
            Some(("etcd", urls)) => {
                Self::Etcd(EtcdConfig::plain(urls.split(',').map(str::to_owned)))
            }
            _ => {
                return Err(ConfigError {
                    field: "store",
                    value: raw.to_owned(),
                    problem: "is neither embedded:FOLDER nor etcd:URL[,URL…]",
                });
            }
        };
        parsed.validate()?;
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_on_a_command_line() {
        assert_eq!(
            "embedded:/var/lib/berth/ipam".parse(),
            Ok(StoreConfig::Embedded("/var/lib/berth/ipam".into()))
        );
        let urls = [
            "http://10.0.0.1:2379".to_owned(),
            "http://10.0.0.2:2379".to_owned(),
        ];
        assert_eq!(
            "etcd:http://10.0.0.1:2379,http://10.0.0.2:2379".parse(),
            Ok(StoreConfig::Etcd(EtcdConfig::plain(urls)))
        );
    }

    #[test]
    fn a_wrong_store_names_the_field_and_the_value() {
        let cases = [
            ("redis:/x", "store"),
            ("embedded:relative", "store.embedded"),
            ("etcd:", "store.etcd.endpoints"),
            ("etcd:10.0.0.1:2379", "store.etcd.endpoints"),
            ("etcd:http://10.0.0.1", "store.etcd.endpoints"),
        ];
        for (raw, field) in cases {
            let error = raw.parse::<StoreConfig>().expect_err(raw);
            assert_eq!(error.field, field, "case: {raw}");
        }
    }
}
