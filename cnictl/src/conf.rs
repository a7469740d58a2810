//! Network configurations as a runtime keeps them: which of them are ours.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::Failure;

/// The name of the plugin in a configuration.
const PLUGIN: &str = "berth";

/// One network of ours, as the plugin would get it on stdin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conf {
    /// The file it is in.
    pub(crate) file: PathBuf,
    /// The plugin's part, with the version and the name of the whole.
    pub(crate) plugin: Map<String, Value>,
}

/// A file that is no network configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadConf {
    /// The file.
    pub(crate) file: PathBuf,
    /// Why.
    pub(crate) problem: String,
}

impl Conf {
    /// The network's name, as far as it has one.
    pub(crate) fn name(&self) -> String {
        let name = self.plugin.get("name").and_then(Value::as_str);
        name.unwrap_or_default().to_owned()
    }

    /// The text that a runtime passes to the plugin.
    pub(crate) fn stdin(&self) -> Vec<u8> {
        Value::Object(self.plugin.clone()).to_string().into_bytes()
    }
}

/// Every network of ours in the file or folder `path`, in the runtimes' order.
///
/// # Errors
/// [`Failure::Usage`] when there is nothing to read at `path`.
pub(crate) fn read(path: &Path) -> Result<Vec<Result<Conf, BadConf>>, Failure> {
    let wrong = |error: io::Error| Failure::Usage {
        problem: format!("--conf {}: {error}", path.display()),
        hint: "name a network configuration, or the folder that the runtime has them in".into(),
    };
    let mut files = Vec::new();
    if fs::metadata(path).map_err(wrong)?.is_dir() {
        for entry in fs::read_dir(path).map_err(wrong)? {
            files.push(entry.map_err(wrong)?.path());
        }
        files.retain(|file| is_conf(file));
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    Ok(files.iter().flat_map(|file| of_file(file)).collect())
}

/// As libcni tells them by their names.
fn is_conf(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("conf" | "conflist" | "json"))
}

fn of_file(file: &Path) -> Vec<Result<Conf, BadConf>> {
    let read = fs::read(file).map_err(|error| error.to_string());
    let parsed = read.and_then(|text| {
        let parsed = serde_json::from_slice::<Map<String, Value>>(&text);
        parsed.map_err(|error| error.to_string())
    });
    match parsed {
        Ok(object) => ours(&object)
            .into_iter()
            .map(|plugin| {
                let file = file.to_owned();
                Ok(Conf { file, plugin })
            })
            .collect(),
        Err(problem) => vec![Err(BadConf {
            file: file.to_owned(),
            problem,
        })],
    }
}

/// Our plugins in a configuration: it is one plugin, or a list of them.
fn ours(object: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let Some(Value::Array(plugins)) = object.get("plugins") else {
        return Some(object.clone()).filter(is_ours).into_iter().collect();
    };
    let plugins = plugins.iter().filter_map(Value::as_object).cloned();
    let complete = |mut plugin: Map<String, Value>| {
        for field in ["cniVersion", "name"] {
            if let Some(value) = object.get(field) {
                plugin.insert(field.to_owned(), value.clone());
            }
        }
        plugin
    };
    plugins.filter(is_ours).map(complete).collect()
}

fn is_ours(plugin: &Map<String, Value>) -> bool {
    plugin.get("type").and_then(Value::as_str) == Some(PLUGIN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(conf: &Value) -> Vec<String> {
        let found = ours(conf.as_object().unwrap());
        let name = |plugin| {
            let file = PathBuf::new();
            Conf { file, plugin }.name()
        };
        found.into_iter().map(name).collect()
    }

    #[test]
    fn a_list_gives_its_version_and_name_to_our_plugin_and_others_are_passed_over() {
        let single = json!({"cniVersion": "1.1.0", "name": "a", "type": "berth"});
        assert_eq!(names(&single), ["a"]);
        let list = json!({"cniVersion": "1.1.0", "name": "b", "plugins": [
            {"type": "berth", "master": "eth0"}, {"type": "tuning"}]});
        assert_eq!(names(&list), ["b"]);
        assert_eq!(names(&json!({"name": "c", "type": "bridge"})), [""; 0]);
        assert_eq!(names(&json!({"plugins": 7})), [""; 0]);
    }
}
