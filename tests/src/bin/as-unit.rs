//! Starts a program with what a systemd unit grants, and no more.
//!
//! `as-unit UNIT [--without NAME]... PROGRAM ARGUMENT...`: a name is a capability's or a system
//! call's.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "test support: whatever is unexpected must fail loudly"
)]

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use e2e::unit::Unit;

fn main() {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let path = PathBuf::from(arguments.next().expect("a unit"));
    let mut unit = Unit::read(&path);
    while arguments.next_if(|next| next == "--without").is_some() {
        let name = arguments.next().expect("the name of what is left out");
        let name = name.into_string().expect("a name");
        let left_out = unit.capabilities.remove(&name) || unit.calls.remove(&name);
        assert!(left_out, "the unit does not grant {name}");
    }
    let program = arguments.next().expect("a program");
    unit.confine().expect("give everything else up");
    let error = Command::new(program).args(arguments).exec();
    panic!("start the program: {error}");
}
