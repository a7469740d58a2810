//! Which store is meant, and opening it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use berth_store::{AnyStore, StoreConfig};
use serde::Deserialize;

use crate::cli::StoreArgs;
use crate::error::Failure;

const DEFAULT_FILE: &str = "/etc/berth/config.toml";

/// `/etc/berth/config.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    store: StoreConfig,
}

/// Opens the store, which is there already: a mistyped folder is not an empty store.
pub(crate) fn open(args: &StoreArgs) -> Result<AnyStore, Failure> {
    let config = choose(args)?;
    if let StoreConfig::Embedded(folder) = &config
        && !folder.join("data.mdb").is_file()
    {
        return Err(Failure::Usage {
            problem: format!(
                "store embedded:{}: there is no store in that folder",
                folder.display()
            ),
            hint: "check the path; `cnictl pool create` makes a store that is not there yet".into(),
        });
    }
    Ok(AnyStore::open(&config)?)
}

/// Opens the store, and makes an embedded one that is not there yet.
pub(crate) fn open_or_make(args: &StoreArgs) -> Result<AnyStore, Failure> {
    Ok(AnyStore::open(&choose(args)?)?)
}

/// The command line before the environment (`clap` sees to that) before the file.
///
/// # Errors
/// [`Failure::Usage`], [`Failure::Config`].
pub(crate) fn choose(args: &StoreArgs) -> Result<StoreConfig, Failure> {
    let StoreArgs {
        store,
        config,
        etcd_ca,
        etcd_cert,
        etcd_key,
    } = args;
    let mut chosen = match store {
        Some(raw) => raw.parse::<StoreConfig>()?,
        None => from_file(config.as_deref())?,
    };
    let given = |over: &Option<PathBuf>, own: &mut Option<PathBuf>| {
        if over.is_some() {
            own.clone_from(over);
        }
    };
    match &mut chosen {
        StoreConfig::Etcd(etcd) => {
            given(etcd_ca, &mut etcd.ca);
            given(etcd_cert, &mut etcd.cert);
            given(etcd_key, &mut etcd.key);
        }
        StoreConfig::Embedded(folder) => {
            if etcd_ca.is_some() || etcd_cert.is_some() || etcd_key.is_some() {
                return Err(Failure::Usage {
                    problem: format!(
                        "--etcd-ca, --etcd-cert and --etcd-key mean nothing to store embedded:{}",
                        folder.display()
                    ),
                    hint: "leave them out, or give --store etcd:URL".into(),
                });
            }
        }
    }
    chosen.validate()?;
    Ok(chosen)
}

fn from_file(named: Option<&Path>) -> Result<StoreConfig, Failure> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    let wrong = |problem: &str, hint: &str| Failure::Usage {
        problem: format!("{}: {}", path.display(), problem.trim_end()),
        hint: hint.to_owned(),
    };
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
            return Err(Failure::Usage {
                problem: "no store is named".into(),
                hint: format!("give --store, set BERTH_STORE, or write {DEFAULT_FILE}"),
            });
        }
        read => read.map_err(|error| wrong(&error.to_string(), "check the path and its mode"))?,
    };
    let parsed = toml::from_str::<ConfigFile>(&text);
    let parsed = parsed.map_err(|error| {
        wrong(
            &error.to_string(),
            "write [store] with embedded = \"/folder\", or [store.etcd]",
        )
    })?;
    Ok(parsed.store)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(store: &str) -> StoreArgs {
        let store = (!store.is_empty()).then(|| store.to_owned());
        StoreArgs {
            store,
            config: None,
            etcd_ca: None,
            etcd_cert: None,
            etcd_key: None,
        }
    }

    #[test]
    fn certificates_go_with_etcd_and_in_pairs() {
        let etcd = "etcd:https://10.0.0.1:2379";
        let with = |store: &str, cert: Option<&str>, key: Option<&str>| {
            let [etcd_cert, etcd_key] = [cert, key].map(|path| path.map(PathBuf::from));
            choose(&StoreArgs {
                etcd_cert,
                etcd_key,
                ..args(store)
            })
        };
        let Ok(StoreConfig::Etcd(chosen)) = with(etcd, Some("/c"), Some("/k")) else {
            panic!("a pair is fine")
        };
        assert_eq!(chosen.cert, Some(PathBuf::from("/c")));
        assert!(matches!(
            with(etcd, Some("/c"), None),
            Err(Failure::Config(_))
        ));
        assert!(matches!(
            with("embedded:/x", None, Some("/k")),
            Err(Failure::Usage { .. })
        ));
    }
}
