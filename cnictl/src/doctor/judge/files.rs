//! The plugin's program and its folders.

use berth_cni::spec::MainConfig;

use super::known;
use crate::doctor::line::Line;
use crate::doctor::seen::{Folder, Plugin, Seen};

/// The runtime finds it, and it speaks the configuration's version.
pub(super) fn plugin(config: &MainConfig, seen: &Seen<Plugin>) -> Line {
    let check = "plugin";
    let install =
        "install berth where the runtime looks for plugins, or name that folder with --bin-dir";
    let Plugin {
        path,
        versions,
        problem,
    } = match known(check, seen, install) {
        Ok(plugin) => plugin,
        Err(line) => return line,
    };
    let Some(path) = path else {
        return Line::failure(check, "no folder of plugins has berth", install);
    };
    let path = path.display();
    if let Some(problem) = problem {
        return Line::failure(
            check,
            format!("{path}: {problem}"),
            "install it again, with mode 0755",
        );
    }
    let wanted = config.common.version.as_str();
    if versions.iter().any(|version| version == wanted) {
        Line::ok(check, format!("{path} speaks {wanted}"))
    } else {
        let found = format!(
            "{path} does not speak cniVersion {wanted}, but {}",
            versions.join(", ")
        );
        Line::failure(check, found, "install the release that this program is of")
    }
}

/// Its files can be written.
pub(super) fn folders(seen: &Seen<Vec<Folder>>) -> Vec<Line> {
    let folders = match known(
        "folders",
        seen,
        "look at the disk that runDir and stateDir are on",
    ) {
        Ok(folders) => folders,
        Err(line) => return vec![line],
    };
    folders.iter().map(one).collect()
}

fn one(
    Folder {
        field,
        path,
        problem,
    }: &Folder,
) -> Line {
    let path = path.display();
    match problem {
        None => Line::ok("folders", format!("{field} {path} can be written")),
        Some(problem) => Line::failure(
            "folders",
            format!("{field} {path} cannot be written: {problem}"),
            format!("make it writable for root, or set \"{field}\""),
        ),
    }
}
