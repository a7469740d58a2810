//! Fields about the interface itself, which a delegated plugin leaves to the main one.

use std::str::FromStr;

use berth_types::IfName;
use serde_json::Value;

use super::fields::Fields;
use crate::spec::CniError;

/// How the interface is made.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Candidates for the parent interface; the first that exists is used.
    pub master: Vec<IfName>,
    /// How the children of one parent see each other.
    pub mode: Mode,
    /// The interface's MTU in bytes; the parent's when absent.
    pub mtu: Option<u32>,
    /// Whether neighbours are told of the address at once.
    pub announce: bool,
}

/// `mode` of a macvlan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Children reach each other through the parent.
    Bridge,
    /// Children never reach each other.
    Private,
    /// Children reach each other through the switch, if it reflects.
    Vepa,
    /// One child has the parent for itself, with its hardware address.
    Passthru,
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(raw: &str) -> Result<Self, ()> {
        match raw {
            "bridge" => Ok(Self::Bridge),
            "private" => Ok(Self::Private),
            "vepa" => Ok(Self::Vepa),
            "passthru" => Ok(Self::Passthru),
            _ => Err(()),
        }
    }
}

impl LinkConfig {
    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, CniError> {
        let mode = fields.parsed("mode", "use bridge, private, vepa or passthru", |raw| {
            raw.parse().ok()
        })?;
        Ok(Self {
            master: masters(fields)?,
            mode: mode.unwrap_or(Mode::Bridge),
            mtu: fields.mtu()?,
            announce: fields.flag("announce")?.unwrap_or(true),
        })
    }
}

fn masters(fields: &Fields<'_>) -> Result<Vec<IfName>, CniError> {
    let wrong = || {
        let remedy = "name the node's interface on the LAN, or a list of which the first that exists is used";
        CniError::field("master", fields.shown("master"), remedy)
    };
    let names = match fields.object.get("master") {
        Some(Value::String(one)) => vec![Some(one.as_str())],
        Some(Value::Array(several)) => several.iter().map(Value::as_str).collect(),
        _ => return Err(wrong()),
    };
    let parsed = names
        .into_iter()
        .map(|name| name.and_then(|name| name.parse().ok()));
    let parsed: Vec<IfName> = parsed.collect::<Option<_>>().ok_or_else(wrong)?;
    if parsed.is_empty() {
        Err(wrong())
    } else {
        Ok(parsed)
    }
}
