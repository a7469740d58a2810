//! The call: verb, container, interface, from the environment (specification, "Parameters").

use std::fmt;
use std::path::PathBuf;

use berth_types::{ContainerId, IfName};

use super::{CniError, Code};

/// What the runtime wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Connect the container.
    Add,
    /// Disconnect it.
    Del,
    /// Is it still connected as it should be?
    Check,
    /// Could an ADD be served?
    Status,
    /// Clean up after the attachments that the runtime no longer has.
    Gc,
    /// Which versions are spoken?
    Version,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Status => "STATUS",
            Self::Gc => "GC",
            Self::Version => "VERSION",
        })
    }
}

/// One call of the plugin.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What is wanted.
    pub verb: Verb,
    container: Option<ContainerId>,
    ifname: Option<IfName>,
    netns: Option<PathBuf>,
    /// `CNI_ARGS`.
    pub args: CniArgs,
    /// `CNI_PATH`: the folders of plugins, separated by `:`.
    pub path: Option<String>,
}

impl Invocation {
    /// Reads the environment, all of it before it complains.
    ///
    /// # Errors
    /// Code 4, naming every variable that is missing or malformed.
    pub fn parse(env: impl Fn(&str) -> Option<String>) -> Result<Self, CniError> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let verb = match set("CNI_COMMAND").as_deref() {
            Some("ADD") => Verb::Add,
            Some("DEL") => Verb::Del,
            Some("CHECK") => Verb::Check,
            Some("STATUS") => Verb::Status,
            Some("GC") => Verb::Gc,
            Some("VERSION") => Verb::Version,
            other => return Err(unknown_command(other)),
        };
        let required: &[&str] = match verb {
            Verb::Add | Verb::Check => &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
            Verb::Del => &["CNI_CONTAINERID", "CNI_IFNAME"],
            Verb::Status | Verb::Gc | Verb::Version => &[],
        };
        let missing: Vec<_> = required
            .iter()
            .copied()
            .filter(|name| set(name).is_none())
            .collect();
        if !missing.is_empty() {
            let message = format!("{verb} needs {}", missing.join(", "));
            return Err(CniError::new(Code::InvalidEnvironment, message)
                .details("set these environment variables"));
        }
        if required.is_empty() {
            let args = CniArgs::default();
            return Ok(Self {
                verb,
                container: None,
                ifname: None,
                netns: None,
                args,
                path: set("CNI_PATH"),
            });
        }
        Ok(Self {
            verb,
            container: parse("CNI_CONTAINERID", set("CNI_CONTAINERID"))?,
            ifname: parse("CNI_IFNAME", set("CNI_IFNAME"))?,
            netns: set("CNI_NETNS").map(PathBuf::from),
            args: CniArgs::parse(&set("CNI_ARGS").unwrap_or_default())?,
            path: set("CNI_PATH"),
        })
    }

    /// The container.
    ///
    /// # Errors
    /// Code 4 for a verb that has none.
    pub fn container(&self) -> Result<&ContainerId, CniError> {
        self.container
            .as_ref()
            .ok_or_else(|| lacks(self.verb, "CNI_CONTAINERID"))
    }

    /// The interface in the container.
    ///
    /// # Errors
    /// Code 4 for a verb that has none.
    pub fn ifname(&self) -> Result<&IfName, CniError> {
        self.ifname
            .as_ref()
            .ok_or_else(|| lacks(self.verb, "CNI_IFNAME"))
    }

    /// The container's namespace; absent when the runtime no longer has one.
    pub const fn netns(&self) -> Option<&PathBuf> {
        self.netns.as_ref()
    }
}

fn lacks(verb: Verb, name: &str) -> CniError {
    CniError::new(Code::InvalidEnvironment, format!("{verb} has no {name}"))
}

fn unknown_command(given: Option<&str>) -> CniError {
    let message = match given {
        None => "CNI_COMMAND is not set".to_owned(),
        Some(other) => format!("CNI_COMMAND: {other:?} is not a verb of this plugin"),
    };
    let verbs = "use ADD, DEL, CHECK, STATUS, GC or VERSION; \
                 this program is a CNI plugin and is called by a container runtime";
    CniError::new(Code::InvalidEnvironment, message).details(verbs)
}

fn parse<T: std::str::FromStr>(name: &str, raw: Option<String>) -> Result<Option<T>, CniError>
where
    T::Err: fmt::Display,
{
    raw.map(|raw| raw.parse::<T>())
        .transpose()
        .map_err(|error| {
            CniError::new(Code::InvalidEnvironment, format!("{name}: {error}"))
                .details("correct this environment variable")
        })
}

/// `CNI_ARGS`: `KEY=VALUE` pairs separated by `;`. Keys that mean nothing to us are skipped, with
/// or without `IgnoreUnknown`, since runtimes send `K8S_*` in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CniArgs {
    /// `K8S_POD_NAMESPACE`
    pub namespace: Option<String>,
    /// `K8S_POD_NAME`
    pub pod: Option<String>,
    /// `K8S_POD_UID`
    pub uid: Option<String>,
    /// `IP`: the address asked for.
    pub ip: Option<String>,
    /// `MAC`: the hardware address asked for.
    pub mac: Option<String>,
}

impl CniArgs {
    /// Reads the pairs.
    ///
    /// # Errors
    /// Code 4 for a part without `=`.
    pub fn parse(raw: &str) -> Result<Self, CniError> {
        let mut args = Self::default();
        for part in raw.split(';').filter(|part| !part.is_empty()) {
            let Some((key, value)) = part.split_once('=') else {
                let message = format!("CNI_ARGS: {part:?} is not KEY=VALUE");
                return Err(CniError::new(Code::InvalidEnvironment, message)
                    .details("separate KEY=VALUE pairs by ';'"));
            };
            let known = match key {
                "K8S_POD_NAMESPACE" => &mut args.namespace,
                "K8S_POD_NAME" => &mut args.pod,
                "K8S_POD_UID" => &mut args.uid,
                "IP" => &mut args.ip,
                "MAC" => &mut args.mac,
                _ => continue,
            };
            *known = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
        Ok(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(set: &[(&str, &str)]) -> Result<Invocation, CniError> {
        let find = |name: &str| set.iter().find(|(known, _)| *known == name);
        Invocation::parse(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn case_01_and_02_a_missing_or_unknown_verb_is_code_4() {
        for set in [
            &[][..],
            &[("CNI_COMMAND", "FOO")],
            &[("CNI_COMMAND", "add")],
        ] {
            let error = parse(set).unwrap_err();
            assert_eq!(error.code(), Code::InvalidEnvironment);
            assert!(error.to_string().contains("CNI_COMMAND"), "{error}");
        }
    }

    #[test]
    fn case_03_all_missing_variables_are_named() {
        for verb in ["ADD", "CHECK"] {
            let error = parse(&[("CNI_COMMAND", verb)]).unwrap_err().to_string();
            for name in ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"] {
                assert!(error.contains(name), "{error}");
            }
        }
    }

    #[test]
    fn case_04_and_05_malformed_names_are_code_4_with_the_value() {
        let call = |container, ifname| {
            parse(&[
                ("CNI_COMMAND", "DEL"),
                ("CNI_CONTAINERID", container),
                ("CNI_IFNAME", ifname),
            ])
        };
        for (container, ifname) in [
            ("-c", "eth0"),
            ("a/b", "eth0"),
            ("c", "sixteen-bytes-xx"),
            ("c", "."),
            ("c", ".."),
            ("c", "a/b"),
            ("c", "a:b"),
            ("c", "a b"),
        ] {
            let error = call(container, ifname).unwrap_err();
            assert_eq!(
                error.code(),
                Code::InvalidEnvironment,
                "case: {container} {ifname}"
            );
        }
        assert!(call("c", "eth0").is_ok());
    }

    #[test]
    fn case_14_unknown_arguments_are_skipped_in_any_order() {
        let raw = "X=1;K8S_POD_UID=u;IgnoreUnknown=true;K8S_POD_NAME=p;K8S_POD_NAMESPACE=n;;IP=";
        let args = CniArgs::parse(raw).unwrap();
        assert_eq!(
            (args.namespace.as_deref(), args.pod.as_deref()),
            (Some("n"), Some("p"))
        );
        assert_eq!((args.uid.as_deref(), args.ip), (Some("u"), None));
        assert!(CniArgs::parse("nonsense").is_err());
    }
}
