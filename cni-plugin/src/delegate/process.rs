//! One run of another program: input, output and end, each with a limit.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use berth_ipam::uptime_ms;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, dup};

use crate::clock::pause;

/// Most bytes of output that are read.
const LONGEST: usize = 1 << 20;
/// How often it is seen whether the program has ended with its output still open, in milliseconds.
const LOOK_MS: u64 = 50;
/// For how long a program that is just being written is waited for, in milliseconds.
const BUSY_MS: u64 = 2_000;

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finished {
    /// Whether it says that it succeeded.
    pub(super) succeeded: bool,
    pub(super) stdout: Vec<u8>,
}

/// Why there is no end to tell of.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It could not be started.
    Start(io::Error),
    /// It could not be talked to.
    Io(io::Error),
    /// It took too long.
    Late { after_ms: u64 },
    /// It printed too much.
    Endless,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// A program that was started, and the processes it started; ended on drop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        // The group is the program's own, so that nobody else is in it.
        let group = i32::try_from(self.0.id()).map(Pid::from_raw);
        let killed = group.map(|group| killpg(group, Signal::SIGKILL));
        let ended = self.0.wait();
        tracing::debug!(?killed, ?ended, "a plugin was ended");
    }
}

/// Runs `command` with `input`; what it writes to stderr goes where this program's own goes.
///
/// `lock` stays open in it. A program that is late, or prints more than a mebibyte, is killed.
pub(super) fn run(
    command: &mut Command,
    input: &[u8],
    deadline_ms: u64,
    lock: Option<BorrowedFd<'_>>,
) -> Result<Finished, Trouble> {
    let begun = uptime_ms();
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.process_group(0);
    // Unlike the original this one is not closed in the program.
    let lent = lock.map(dup).transpose()?;
    let mut running = Running(start(command).map_err(Trouble::Start)?);
    drop(lent);
    let late_at = begun.saturating_add(deadline_ms);
    let late = Trouble::Late {
        after_ms: deadline_ms,
    };
    let mut pipes = Pipes::of(&mut running.0, input)?;
    while !pipes.is_done() {
        let Some(left) = late_at.checked_sub(uptime_ms()).filter(|left| *left > 0) else {
            return Err(late);
        };
        let heard = pipes.serve(left.min(LOOK_MS))?;
        // A process that it left behind may keep its output open for ever.
        if heard == Heard::Nothing && running.0.try_wait()?.is_some() {
            break;
        }
    }
    let stdout = pipes.close();
    loop {
        if let Some(status) = running.0.try_wait()? {
            let succeeded = status.success();
            return Ok(Finished { succeeded, stdout });
        }
        if uptime_ms() >= late_at {
            return Err(late);
        }
        pause();
    }
}

/// A program that is being installed is busy for a moment.
fn start(command: &mut Command) -> io::Result<Child> {
    let begun = uptime_ms();
    loop {
        match command.spawn() {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy
                    && uptime_ms().saturating_sub(begun) < BUSY_MS =>
            {
                pause();
            }
            started => return started,
        }
    }
}

/// Whether a program was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Something,
    Nothing,
}

/// Both ways to a program, neither of which waits for the other.
struct Pipes<'a> {
    stdin: Option<ChildStdin>,
    unsent: &'a [u8],
    stdout: Option<ChildStdout>,
    received: Vec<u8>,
}

impl<'a> Pipes<'a> {
    fn of(child: &mut Child, input: &'a [u8]) -> Result<Self, Trouble> {
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        if let Some(stdin) = &stdin {
            never_wait(stdin)?;
        }
        if let Some(stdout) = &stdout {
            never_wait(stdout)?;
        }
        Ok(Self {
            stdin,
            unsent: input,
            stdout,
            received: Vec::new(),
        })
    }

    /// It has closed its output: what it has not read it will not read.
    const fn is_done(&self) -> bool {
        self.stdout.is_none()
    }

    fn close(self) -> Vec<u8> {
        self.received
    }

    /// Writes and reads what can be, once there is something within `wait_ms`.
    fn serve(&mut self, wait_ms: u64) -> Result<Heard, Trouble> {
        let out = self
            .stdout
            .as_ref()
            .map(|pipe| (pipe.as_fd(), PollFlags::POLLIN));
        let into = self
            .stdin
            .as_ref()
            .map(|pipe| (pipe.as_fd(), PollFlags::POLLOUT));
        let mut watched: Vec<_> = [out, into]
            .into_iter()
            .flatten()
            .map(|(pipe, what)| PollFd::new(pipe, what))
            .collect();
        let wait = u16::try_from(wait_ms).unwrap_or(u16::MAX);
        match poll(&mut watched, PollTimeout::from(wait)) {
            Ok(0) | Err(Errno::EINTR) => return Ok(Heard::Nothing),
            other => other?,
        };
        self.send();
        self.receive()?;
        Ok(Heard::Something)
    }

    /// A program that does not want its input need not take it.
    fn send(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        match stdin.write(self.unsent) {
            Ok(sent) => self.unsent = self.unsent.get(sent..).unwrap_or_default(),
            Err(error) if is_later(&error) => {}
            Err(_) => self.unsent = &[],
        }
        if self.unsent.is_empty() {
            self.stdin = None;
        }
    }

    fn receive(&mut self) -> Result<(), Trouble> {
        let mut part = [0; 16 << 10];
        while let Some(stdout) = &mut self.stdout {
            match stdout.read(&mut part) {
                Ok(0) => self.stdout = None,
                Ok(count) => self
                    .received
                    .extend_from_slice(part.get(..count).unwrap_or_default()),
                Err(error) if is_later(&error) => break,
                Err(error) => return Err(error.into()),
            }
            if self.received.len() > LONGEST {
                return Err(Trouble::Endless);
            }
        }
        Ok(())
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

fn never_wait(pipe: impl AsFd) -> nix::Result<()> {
    let flags = fcntl(&pipe, FcntlArg::F_GETFL)?;
    let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
    fcntl(&pipe, FcntlArg::F_SETFL(flags)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far longer than a loaded machine takes to start a shell, in milliseconds.
    const AMPLE_MS: u64 = 60_000;

    /// What a shell makes of `script`.
    fn shell(script: &str, input: &[u8], deadline_ms: u64) -> Result<Finished, Trouble> {
        let mut command = Command::new("/bin/sh");
        run(command.args(["-c", script]), input, deadline_ms, None)
    }

    /// Waits until the process `pid` is gone or a zombie: a signal takes a moment.
    fn ends(pid: &str) -> bool {
        let begun = uptime_ms();
        let stat = format!("/proc/{pid}/stat");
        while uptime_ms() - begun < AMPLE_MS {
            match std::fs::read_to_string(&stat) {
                Ok(state) if !state.contains(") Z ") => pause(),
                _ => return true,
            }
        }
        false
    }

    #[test]
    fn it_reads_and_writes_at_once_and_tells_how_it_ended() {
        let long = vec![b'x'; 700_000];
        let echoed = shell("cat", &long, AMPLE_MS).unwrap();
        assert!(echoed.succeeded && echoed.stdout == long);
        let deaf = shell("echo no; exit 3", &long, AMPLE_MS).unwrap();
        assert_eq!((deaf.succeeded, deaf.stdout), (false, b"no\n".to_vec()));
    }

    #[test]
    fn a_program_that_is_late_is_ended_with_all_that_it_started() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        assert!(matches!(
            shell(&script, b"", 5_000),
            Err(Trouble::Late { after_ms: 5_000 })
        ));
        let pid = std::fs::read_to_string(file).unwrap();
        assert!(ends(pid.trim()), "the sleeper {pid} lives");
        // One that hangs after it has said all.
        assert!(matches!(
            shell("exec >&-; sleep 600", b"", 500),
            Err(Trouble::Late { .. })
        ));
    }

    #[test]
    fn a_process_that_keeps_the_output_open_is_not_waited_for() {
        let script = "sleep 600 & echo $!; echo done";
        let finished = shell(script, b"", AMPLE_MS).unwrap();
        let said = String::from_utf8(finished.stdout).unwrap();
        let (pid, done) = said.split_once('\n').unwrap();
        assert_eq!(done, "done\n");
        let sleeper = Pid::from_raw(pid.parse().unwrap());
        nix::sys::signal::kill(sleeper, Signal::SIGKILL).expect("it was waited for");
    }

    #[test]
    fn more_than_a_mebibyte_is_not_read() {
        assert!(matches!(
            shell("exec yes", b"", AMPLE_MS),
            Err(Trouble::Endless)
        ));
    }
}
