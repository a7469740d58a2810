//! Fields of the configuration, read with errors that name them.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::spec::{CniError, Code};

/// Fields of an object, read with errors that name them.
pub(super) struct Fields<'a> {
    /// The object.
    pub(super) object: &'a Map<String, Value>,
    /// What stands before a field's name in an error: empty, or the object's own name and `.`.
    pub(super) prefix: &'static str,
}

impl Fields<'_> {
    /// The field's value, unless it is absent or `null`.
    pub(super) fn present(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// The value as an error shows it.
    pub(super) fn shown(&self, name: &str) -> String {
        self.object
            .get(name)
            .map_or_else(|| "null".to_owned(), ToString::to_string)
    }

    /// The error for a value that cannot be used.
    pub(super) fn wrong(&self, name: &str, remedy: &str) -> CniError {
        CniError::field(&format!("{}{name}", self.prefix), self.shown(name), remedy)
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, CniError> {
        let text = |value: &'_ Value| value.is_string();
        match self.present(name) {
            Some(value) if !text(value) => Err(self.wrong(name, "write a text in quotes")),
            value => Ok(value.and_then(Value::as_str)),
        }
    }

    /// A text in a form of its own; an empty one is as good as none.
    pub(super) fn parsed<T>(
        &self,
        name: &str,
        remedy: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, CniError> {
        let parse = |raw| parse(raw).ok_or_else(|| self.wrong(name, remedy));
        self.text(name)?
            .filter(|raw| !raw.is_empty())
            .map(parse)
            .transpose()
    }

    /// [`Fields::parsed`], of a field that must be there.
    pub(super) fn required<T: FromStr>(&self, name: &str, remedy: &str) -> Result<T, CniError> {
        self.parsed(name, remedy, |raw| raw.parse().ok())?
            .ok_or_else(|| self.wrong(name, remedy))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, CniError> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(name, "write true or false")),
        }
    }

    /// Bytes; 0 means the parent's, as in the reference plugins.
    pub(super) fn mtu(&self) -> Result<Option<u32>, CniError> {
        let remedy = "use 68 to 65535 bytes and no more than the master's, or 0 for the master's";
        match self.present("mtu").map(Value::as_u64) {
            None | Some(Some(0)) => Ok(None),
            Some(Some(mtu)) if (68..=65535).contains(&mtu) => Ok(u32::try_from(mtu).ok()),
            Some(_) => Err(self.wrong("mtu", remedy)),
        }
    }

    /// A value with a shape of its own; `remedy` says which.
    pub(super) fn section<T: for<'de> Deserialize<'de>>(
        &self,
        name: &str,
        remedy: &str,
    ) -> Result<Option<T>, CniError> {
        let Some(value) = self.present(name) else {
            return Ok(None);
        };
        T::deserialize(value).map(Some).map_err(|error| {
            let message = format!("{}{name}: {error}", self.prefix);
            CniError::new(Code::InvalidConfig, message).details(remedy)
        })
    }
}

/// `null` for nothing, as containerd sends it for a pod without annotations.
pub(in crate::spec) fn null_is_empty<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
