//! Running programs: short ones to their end, servers in the background.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Runs `command` to its end and returns what it printed on stdout.
///
/// # Panics
/// When it cannot be started or fails; the message holds the command and what it said.
pub fn output(command: &mut Command) -> String {
    let ran = command.stdin(Stdio::null()).output();
    let ran = ran.unwrap_or_else(|e| panic!("start {command:?}: {e}"));
    let [stdout, stderr] =
        [&ran.stdout, &ran.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(
        ran.status.success(),
        "{command:?}: {}\n{stdout}{stderr}",
        ran.status
    );
    stdout
}

/// A process that ran to its end.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything it wrote to stdout.
    pub stdout: Vec<u8>,
    /// Everything it wrote to stderr.
    pub stderr: Vec<u8>,
    /// From just before it was started until it was reaped.
    pub elapsed: Duration,
    /// User and system time of the process and of all its children that it waited for.
    pub cpu: Duration,
}

/// A process with its input already given and its output collected. Killed on drop.
#[derive(Debug)]
pub struct Measured {
    pid: Pid,
    started: Instant,
    stdout: File,
    stderr: File,
    reaped: bool,
}

impl Measured {
    /// Starts `command` with `stdin` as its whole input.
    ///
    /// Input and output are files in memory: no pipe can fill up, and no thread has to read
    /// while the process runs.
    ///
    /// # Errors
    /// When a file in memory or the process cannot be made.
    #[expect(clippy::disallowed_methods, reason = "this is the stop watch")]
    pub fn start(command: &mut Command, stdin: &[u8]) -> io::Result<Self> {
        let mut input = in_memory()?;
        input.write_all(stdin)?;
        input.rewind()?;
        let [stdout, stderr] = [in_memory()?, in_memory()?];
        command
            .stdin(input)
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?);
        let started = Instant::now();
        let child = command.spawn()?;
        Ok(Self {
            pid: pid_of(&child),
            started,
            stdout,
            stderr,
            reaped: false,
        })
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends it `signal`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        kill(self.pid, signal).map_err(io::Error::from)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it cannot be waited for or its output cannot be read back.
    pub fn finish(mut self) -> io::Result<Finished> {
        let (status, cpu) = reap(self.pid)?;
        let elapsed = self.started.elapsed();
        self.reaped = true;
        Ok(Finished {
            status,
            stdout: read_back(&mut self.stdout)?,
            stderr: read_back(&mut self.stderr)?,
            elapsed,
            cpu,
        })
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // Once reaped, the id may already be another process's.
        if !self.reaped {
            kill(self.pid, Signal::SIGKILL).unwrap_or_default();
            drop(reap(self.pid));
        }
    }
}

/// Waits for `pid`; answers how it ended and the CPU time of it and its own waited-for children.
fn reap(pid: Pid) -> io::Result<(ExitStatus, Duration)> {
    let mut status = 0;
    #[expect(
        unsafe_code,
        reason = "std and nix offer no wait4, which alone tells a child's CPU"
    )]
    // SAFETY: `rusage` is plain integers, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        #[expect(unsafe_code, reason = "as above")]
        // SAFETY: both pointers are to live, writable values of the types wait4 fills in.
        let ended = unsafe { libc::wait4(pid.as_raw(), &raw mut status, 0, &raw mut usage) };
        if ended == pid.as_raw() {
            return Ok((
                ExitStatus::from_raw(status),
                duration(usage.ru_utime) + duration(usage.ru_stime),
            ));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// A time as the kernel counts it; it is never negative here.
fn duration(time: libc::timeval) -> Duration {
    let micros = time
        .tv_sec
        .saturating_mul(1_000_000)
        .saturating_add(time.tv_usec);
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

fn in_memory() -> io::Result<File> {
    Ok(File::from(memfd_create("e2e", MFdFlags::MFD_CLOEXEC)?))
}

/// Everything in `file`. The writer shared its offset, so it has to be set back first.
fn read_back(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("process ids fit in 31 bits"))
}

/// A server in the background that logs to a file. Killed on drop, by its process id.
///
/// Give it a command of [`crate::netns::Netns::command`], so that it dies with the test also
/// when the test is killed, and start it from the thread that lives as long as it should.
#[derive(Debug)]
pub struct Daemon {
    what: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command`; both its outputs are appended to the file `log`.
    ///
    /// # Panics
    /// When the log cannot be written or the process cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let what = command.get_program().to_string_lossy().into_owned();
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("open the log");
        let same = file
            .as_fd()
            .try_clone_to_owned()
            .expect("duplicate the log");
        command.stdin(Stdio::null()).stdout(file).stderr(same);
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("start {what}: {e}"));
        Self {
            what,
            child,
            log: log.to_owned(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        pid_of(&self.child)
    }

    /// Sends `signal`; nothing happens when it has already ended.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap_or_default();
    }

    /// Whether it has not ended.
    ///
    /// # Panics
    /// When the kernel does not say.
    pub fn lives(&mut self) -> bool {
        self.ended().is_none()
    }

    /// How it ended; `None` while it lives.
    ///
    /// # Panics
    /// When the kernel does not say.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("ask after a child process")
    }

    /// Kills it and waits for its end.
    pub fn kill(&mut self) {
        // An error means that it has already ended, which is what was asked for.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Asks it to end with SIGTERM, and kills it when it takes longer than `within`.
    pub fn stop(&mut self, within: Duration) {
        self.signal(Signal::SIGTERM);
        if !crate::wait::becomes_true(within, || !self.lives()) {
            self.kill();
        }
    }

    /// Waits until `ready` answers true.
    ///
    /// # Panics
    /// When the process ends first, or `within` passes; the message holds the log.
    pub fn wait_ready(&mut self, within: Duration, mut ready: impl FnMut() -> bool) {
        let mut ended = false;
        let settled = crate::wait::becomes_true(within, || {
            ended = !self.lives();
            ended || ready()
        });
        assert!(
            settled && !ended,
            "{} did not come up:\n{}",
            self.what,
            self.log()
        );
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What the thread that `task` is the folder of has had of the processors (`schedstat`); nothing when
/// it has ended.
pub fn spent(task: &Path) -> Duration {
    let statistics = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let first = statistics.split(' ').next();
    let nanoseconds = first.and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}
