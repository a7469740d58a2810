//! What was observed, and what it means. Pure: a function for every check.

mod files;
mod link;
mod managers;
mod node;
mod store;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::line::Line;
use super::seen::{Seen, SeenNetwork, SeenParts, Unseen};
use crate::conf::BadConf;

pub(crate) use node::node;

/// A file that no runtime can read either.
pub(crate) fn bad_conf(bad: &BadConf) -> Line {
    let BadConf { file, problem } = bad;
    let found = format!("{}: {problem}", file.display());
    Line::failure(
        "configuration",
        found,
        "write one JSON object, as in the CNI specification",
    )
}

/// Nothing to test the host against.
pub(crate) fn no_network(path: &Path) -> Line {
    let found = format!("{} has no network of type berth", path.display());
    Line::failure(
        "configuration",
        found,
        "put one there, or name its place with --conf",
    )
}

/// Everything about one network.
pub(crate) fn network(seen: &SeenNetwork) -> Vec<Line> {
    let SeenNetwork { conf, parsed } = seen;
    let lines = match parsed {
        Err(error) => vec![Line::failure(
            "configuration",
            format!("{}: {}", conf.file.display(), error.message()),
            error.remedy(),
        )],
        Ok(parts) => of_parts(parts, conf.file.display().to_string()),
    };
    let name = conf.name();
    lines.into_iter().map(|line| line.of(&name)).collect()
}

fn of_parts(parts: &SeenParts, file: String) -> Vec<Line> {
    let SeenParts {
        config,
        parent,
        vlans,
        bridge,
        store,
        gateways,
        plugin,
        folders,
    } = parts;
    let mut lines = vec![Line::ok("configuration", file)];
    lines.push(link::parent(&config.link, parent));
    lines.extend(link::mtu(&config.link, parent));
    lines.extend(
        bridge
            .as_ref()
            .map(|bridge| link::bridge(&config.link, bridge)),
    );
    lines.push(store::store(store));
    if let Ok(store) = store {
        lines.push(store::node_name(store));
        lines.extend(store::pools(store));
        lines.extend(store::clock(store));
    }
    lines.extend(link::vlans(&config.link, parent, vlans, store));
    lines.extend(
        gateways
            .iter()
            .map(|(vlan, answers)| link::gateways(*vlan, parent, answers)),
    );
    lines.push(files::plugin(config, plugin));
    lines.extend(files::folders(folders));
    lines
}

/// What was seen, or the line that says why not.
fn known<'a, T>(check: &'static str, seen: &'a Seen<T>, remedy: &str) -> Result<&'a T, Line> {
    seen.as_ref().map_err(|unseen| match unseen {
        Unseen::Late => {
            let found = "no answer in time";
            Line::failure(
                check,
                found,
                format!("{remedy}, or give more time with --timeout"),
            )
        }
        Unseen::Failed(words) => Line::failure(check, words, remedy),
        Unseen::Moot(why) => Line::skipped(check, why),
    })
}
