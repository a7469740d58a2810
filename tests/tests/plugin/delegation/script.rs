//! IPAM plugins that are shell scripts.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use e2e::debian;
use serde_json::{Value, json};

use crate::container::Container;
use crate::ground::{Ground, files};

/// What every script begins with: it writes down that it was called, and with what.
const HEAD: &str = r#"#!/bin/sh
mkdir -p "$0.held"
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME" >> "$0.calls"
cat > "$0.stdin.$CNI_COMMAND"
give() {
    : > "$0.held/$CNI_CONTAINERID"
    host=77
    if [ "$CNI_CONTAINERID" = gone ]; then host=78; fi
    echo "{\"cniVersion\": \"1.1.0\", \"ips\": [{\"address\": \"10.20.1.$host/24\", \"gateway\": \"10.20.1.1\"}]}"
}
fail() { echo "{\"cniVersion\": \"1.1.0\", \"code\": $1, \"msg\": \"$2\", \"details\": \"$3\"}"; exit 1; }
case $CNI_COMMAND in
"#;

/// What every script ends with.
const TAIL: &str = r#"
ADD) give ;;
DEL) rm -f "$0.held/$CNI_CONTAINERID" ;;
esac
"#;

/// A script in the role of an IPAM plugin.
pub(super) struct Script {
    path: PathBuf,
}

impl Script {
    /// One whose `cases` go before the usual ones of a shell's `case $CNI_COMMAND in`.
    pub(super) fn install(ground: &mut Ground, cases: &str) -> Self {
        let folder = ground.node().file("plugins");
        fs::create_dir_all(&folder).expect("make a folder");
        let path = folder.join("scripted");
        let script = Self { path };
        script.behave(cases);
        ground.plugin.path = format!("{}:{}", folder.display(), debian::CNI_PLUGINS);
        script
    }

    /// Other `cases` from now on.
    pub(super) fn behave(&self, cases: &str) {
        let unfinished = self.path.with_extension("new");
        fs::write(&unfinished, format!("{HEAD}{cases}{TAIL}")).expect("write a script");
        fs::set_permissions(&unfinished, Permissions::from_mode(0o755)).expect("make it a program");
        fs::rename(unfinished, &self.path).expect("install a script");
    }

    /// The verbs of the calls so far.
    pub(super) fn verbs(&self) -> Vec<String> {
        let verb = |call: String| call.split(' ').take(1).collect();
        self.calls().into_iter().map(verb).collect()
    }

    /// The calls so far: `ADD a eth0`.
    pub(super) fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path.with_extension("calls")).unwrap_or_default();
        log.lines().map(|line| line.trim().to_owned()).collect()
    }

    /// What it was given on stdin at its last call of that verb.
    pub(super) fn stdin(&self, verb: &str) -> Value {
        let file = self.path.with_extension(format!("stdin.{verb}"));
        serde_json::from_slice(&fs::read(file).expect("a call")).expect("JSON")
    }

    /// The containers that have something of it.
    pub(super) fn held(&self) -> Vec<String> {
        files(&self.path.with_extension("held"))
    }
}

/// A container with addresses of the script.
pub(super) fn container<'a>(ground: &'a Ground, id: &str) -> Container<'a> {
    ground
        .container(id)
        .with("/ipam", json!({"type": "scripted", "own": [1]}))
}
