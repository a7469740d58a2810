//! The plugin's program, where the runtime looks for it.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{AccessFlags, access};
use serde_json::Value;

use crate::doctor::seen::Plugin;

/// The program's name.
const NAME: &str = "berth";
/// Most bytes of an answer that are read.
const LONGEST_ANSWER: usize = 64 << 10;

/// Finds the program in the first folder that has it, and asks which versions it speaks.
pub(super) fn look(bin_dirs: &[PathBuf], longest: Duration) -> Plugin {
    let mut candidates = bin_dirs.iter().map(|folder| folder.join(NAME));
    let Some(path) = candidates.find(|path| path.is_file()) else {
        return Plugin::default();
    };
    let asked = match access(&path, AccessFlags::X_OK) {
        Err(errno) => Err(errno.desc().to_owned()),
        Ok(()) => ask(&path, longest / 2),
    };
    let (versions, problem) = match asked {
        Ok(versions) => (versions, None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    Plugin {
        path: Some(path),
        versions,
        problem,
    }
}

/// Calls it with VERSION, which needs neither container nor network.
fn ask(path: &Path, longest: Duration) -> Result<Vec<String>, String> {
    let mut child = Command::new(path)
        .env("CNI_COMMAND", "VERSION")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let read = child.stdout.take().map(|stdout| read(stdout, longest));
    if !matches!(read, Some(Ok(_))) {
        child.kill().map_err(|error| error.to_string())?;
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let answer = read.unwrap_or_else(|| Ok(Vec::new()))?;
    versions(&answer).ok_or_else(|| format!("gives no answer to VERSION ({status})"))
}

/// Reads to the end; whoever pauses for longer than that is given up.
fn read(mut stdout: ChildStdout, longest: Duration) -> Result<Vec<u8>, String> {
    let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
    let mut answer = Vec::new();
    loop {
        let mut waiting = [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, timeout) {
            Ok(0) => return Err(format!("does not answer within {longest:?}")),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.desc().to_owned()),
        }
        let mut part = [0; 4096];
        let length = stdout.read(&mut part).map_err(|error| error.to_string())?;
        answer.extend(part.get(..length).unwrap_or_default());
        if length == 0 || answer.len() > LONGEST_ANSWER {
            return Ok(answer);
        }
    }
}

fn versions(answer: &[u8]) -> Option<Vec<String>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let versions = answer.get("supportedVersions")?.as_array()?;
    Some(
        versions
            .iter()
            .filter_map(|version| version.as_str().map(str::to_owned))
            .collect(),
    )
}
