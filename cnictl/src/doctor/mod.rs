//! `cnictl doctor`: can this host serve its networks?
//!
//! [`look`] observes, with a deadline for every look; [`seen`] is what was observed, plain data;
//! [`judge`] decides what it means, purely: a [`Line`] for every check. Nothing on the host is
//! changed, but for a macvlan in a namespace of its own that lives as long as a gateway is asked.

mod judge;
mod line;
mod look;
mod seen;

use std::io::{self, IsTerminal as _, Write};

use crate::cli::DoctorArgs;
use crate::conf;
use crate::error::{Ended, Failure};
use crate::output::Printer;
use line::{Line, State};
use look::Patience;

/// `cnictl doctor`
pub(crate) fn run(
    args: &DoctorArgs,
    out: &mut Printer<impl Write, impl Write>,
) -> Result<Ended, Failure> {
    let DoctorArgs {
        conf,
        bin_dirs,
        timeout,
    } = args;
    let patience = Patience::new(*timeout);
    let found = conf::read(conf)?;
    let mut lines = Vec::new();
    let mut networks = Vec::new();
    for network in found {
        match network {
            Err(bad) => lines.push(judge::bad_conf(&bad)),
            Ok(conf) => {
                progress(&format!("looking at network {:?}", conf.name()));
                networks.push(look::network(conf, bin_dirs, patience));
            }
        }
    }
    if networks.is_empty() {
        lines.push(judge::no_network(conf));
    }
    progress("looking at the host");
    let node = look::node(patience);
    progress("");
    lines.extend(networks.iter().flat_map(judge::network));
    lines.extend(judge::node(&node, &networks));
    out.list(&lines, "nothing was looked at")?;
    Ok(ended(&lines))
}

/// The exit code is the worst line's.
fn ended(lines: &[Line]) -> Ended {
    match lines.iter().map(|line| line.state).max() {
        None | Some(State::Ok | State::Skipped) => Ended::Clean,
        Some(State::Warning) => Ended::Findings,
        Some(State::Failure) => Ended::Unfit,
    }
}

/// Tells a person at the terminal what takes so long; nothing to erase it again.
fn progress(what: &str) {
    let mut terminal = io::stderr().lock();
    if terminal.is_terminal() {
        let dots = if what.is_empty() { "" } else { " ..." };
        // Nobody misses what cannot be written.
        drop(write!(terminal, "\r\u{1b}[K{what}{dots}").and_then(|()| terminal.flush()));
    }
}
