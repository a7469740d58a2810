//! An agent that the unit confines.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::process::Daemon;
use e2e::unit::Unit;

use crate::engine::ground::Ground;

/// The unit.
pub(super) fn path() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.join("../deploy/systemd/traffic-agent.service")
}

/// The agent with `arguments`, confined by the unit but for what is to be missing besides; behind
/// the command `by`, when there is one.
pub(super) fn command(
    ground: &Ground,
    by: &[&OsStr],
    without: &[&str],
    arguments: &[&str],
) -> Command {
    let helper = OsStr::new(env!("CARGO_BIN_EXE_as-unit"));
    let words: Vec<&OsStr> = by.iter().copied().chain([helper]).collect();
    let mut command = ground.node.command(words[0]);
    command.args(&words[1..]).arg(path());
    for name in without {
        command.args(["--without", name]);
    }
    let agent = ground.agent(arguments);
    // As the unit starts it, with options behind.
    let said = Unit::read(&path()).executes;
    command.arg(agent.get_program()).args(&said[1..]);
    command.args(agent.get_args());
    command
}

/// Starts it.
pub(super) fn start(ground: &Ground, without: &[&str], arguments: &[&str]) -> Daemon {
    let mut command = command(ground, &[], without, arguments);
    Daemon::start(&mut command, &ground.scratch.join("agent.log"))
}
