//! Programs that manage the host's links, and what they were told of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::doctor::seen::{Manager, NetworkFile};

/// Looks for running managers, and reads their configuration below `root`.
pub(super) fn look(root: &Path) -> Vec<Manager> {
    let running = running(root);
    let runs = |name: &str| running.iter().any(|comm| comm == name);
    let mut managers = Vec::new();
    if runs("NetworkManager") {
        managers.push(Manager::Nm(unmanaged_devices(root)));
    }
    // The kernel keeps fifteen bytes of a name.
    if runs("systemd-network") {
        managers.push(Manager::Networkd(network_files(root)));
    }
    let configured = ifupdown(root);
    if !configured.is_empty() {
        managers.push(Manager::Ifupdown(configured));
    }
    managers
}

/// The names of all processes.
fn running(root: &Path) -> Vec<String> {
    let processes = fs::read_dir(root.join("proc"))
        .into_iter()
        .flatten()
        .flatten();
    let comm = processes.filter_map(|process| fs::read_to_string(process.path().join("comm")).ok());
    comm.map(|comm| comm.trim().to_owned()).collect()
}

/// The files of these folders with that extension, those with one name only once, in the order of
/// their names.
fn files(root: &Path, folders: &[&str], extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(root.join(folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            let hides = |known: &PathBuf| known.file_name() == path.file_name();
            let fits = path.extension().is_some_and(|found| found == extension);
            if fits && !files.iter().any(hides) {
                files.push(path);
            }
        }
    }
    files.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    files
}

fn unmanaged_devices(root: &Path) -> Vec<String> {
    let folders = [
        "etc/NetworkManager/conf.d",
        "run/NetworkManager/conf.d",
        "usr/lib/NetworkManager/conf.d",
    ];
    let mut files = files(root, &folders, "conf");
    files.push(root.join("etc/NetworkManager/NetworkManager.conf"));
    let texts = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    let lists = texts.flat_map(|text| values(&text, "unmanaged-devices"));
    lists
        .flat_map(|list| {
            list.split([';', ','])
                .map(|item| item.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn network_files(root: &Path) -> Vec<NetworkFile> {
    let folders = [
        "etc/systemd/network",
        "run/systemd/network",
        "usr/lib/systemd/network",
        "lib/systemd/network",
    ];
    let files = files(root, &folders, "network");
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).ok()?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some(network_file(name, &text))
    };
    files.iter().filter_map(read).collect()
}

fn network_file(file: String, text: &str) -> NetworkFile {
    let matching = text.split("[Network]").next().unwrap_or_default();
    let matching = matching.split("[Link]").next().unwrap_or_default();
    let words = |key: &str| -> Vec<String> {
        let lists = values(matching, key);
        lists
            .iter()
            .flat_map(|list| list.split_whitespace())
            .map(str::to_owned)
            .collect()
    };
    let unmanaged = values(text, "Unmanaged");
    NetworkFile {
        file,
        names: words("Name"),
        types: [words("Type"), words("Kind")].concat(),
        unmanaged: unmanaged
            .iter()
            .any(|value| matches!(value.as_str(), "yes" | "true" | "1" | "on")),
    }
}

/// The interfaces that `ifupdown` brings up.
fn ifupdown(root: &Path) -> Vec<String> {
    let mut files = vec![root.join("etc/network/interfaces")];
    let more = fs::read_dir(root.join("etc/network/interfaces.d"));
    files.extend(
        more.into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path()),
    );
    let texts = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    let mut names = Vec::new();
    for text in texts {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            if matches!(words.next(), Some("iface")) {
                names.extend(words.next().filter(|name| *name != "lo").map(str::to_owned));
            }
        }
    }
    names
}

/// What stands after `key=`, wherever.
fn values(text: &str, key: &str) -> Vec<String> {
    let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
    let of_key = pairs.filter(|(name, _)| name.trim() == key || name.trim() == format!("{key}+"));
    of_key.map(|(_, value)| value.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn what_runs_is_found_with_what_it_was_told() {
        let folder = tempfile::TempDir::new().unwrap();
        let root = folder.path();
        assert_eq!(look(root), []);
        write(root, "proc/17/comm", "NetworkManager\n");
        write(root, "proc/18/comm", "systemd-network\n");
        write(
            root,
            "etc/NetworkManager/conf.d/berth.conf",
            "[keyfile]\nunmanaged-devices=interface-name:bv*;type:macvlan\n",
        );
        write(
            root,
            "etc/systemd/network/10-lan.network",
            "[Match]\nName=bond1 eth*\n[Network]\nDHCP=yes\n",
        );
        write(
            root,
            "usr/lib/systemd/network/10-lan.network",
            "[Match]\nName=hidden\n",
        );
        write(
            root,
            "run/systemd/network/05-berth.network",
            "[Match]\nName=bv*\n[Link]\nUnmanaged=yes\n",
        );
        write(
            root,
            "etc/network/interfaces",
            "auto lo\niface lo inet loopback\niface eth0 inet dhcp\n",
        );
        let file = |file: &str, names: &[&str], unmanaged| NetworkFile {
            file: file.into(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            types: vec![],
            unmanaged,
        };
        let expected = [
            Manager::Nm(vec!["interface-name:bv*".into(), "type:macvlan".into()]),
            Manager::Networkd(vec![
                file("05-berth.network", &["bv*"], true),
                file("10-lan.network", &["bond1", "eth*"], false),
            ]),
            Manager::Ifupdown(vec!["eth0".into()]),
        ];
        assert_eq!(look(root), expected);
    }
}
