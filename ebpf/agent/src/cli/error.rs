//! How a command ends that could not do what it was asked.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::args::FileError;
use crate::config::BadOption;
use crate::containers::StartError;
use crate::engine::Chain;
use crate::http::ServeError;
use crate::kernel::bpffs::BpffsError;
use crate::kernel::lock::LockError;
use crate::kernel::maps::MapsError;

/// sysexits.h.
const USAGE: u8 = 64;

/// Why.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The configuration's file.
    #[error(transparent)]
    File(#[from] FileError),
    /// An option.
    #[error(transparent)]
    Option(#[from] BadOption),
    /// The pins' file system.
    #[error(transparent)]
    Bpffs(#[from] BpffsError),
    /// The pinned maps.
    #[error(transparent)]
    Maps(#[from] MapsError),
    /// An agent of another version has begun to take over, and was not done.
    #[error("the agent of version {0} of the maps has taken these over, and was not done")]
    TakenOver(u32),
    /// Another agent.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// What is served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Anything else of the kernel's.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Maps(error) => Self::Maps(error),
            StartError::Io(error) => Self::Io(error),
        }
    }
}

impl Failure {
    pub(super) fn hint(&self) -> String {
        match self {
            Self::File(error) => error.hint().into(),
            Self::Option(_) => "`traffic-agent --help` says what an option may be".into(),
            Self::Bpffs(error) => error.hint().into(),
            Self::Maps(error) => error.hint(),
            Self::Lock(error) => error.hint().into(),
            Self::TakenOver(_) => {
                "start that agent until it has replaced all programs, which takes seconds, and then this \
                 one; or run its `uninstall`"
                    .into()
            }
            Self::Serve(error) => error.hint().into(),
            Self::Io(_) => "look at `dmesg` for what the kernel says".into(),
        }
    }

    /// Says why, and what to do.
    pub(super) fn exit(&self, err: &mut impl Write) -> ExitCode {
        if matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        let said = writeln!(err, "error: {}\n  hint: {}", Chain(self), self.hint());
        match (said, self) {
            (Ok(()), Self::File(_) | Self::Option(_) | Self::Serve(ServeError::Settings(_))) => {
                USAGE.into()
            }
            _ => ExitCode::FAILURE,
        }
    }
}

/// For `--help` and `--version`, and for what is neither.
pub(super) fn exit_with_usage(asked_or_wrong: &clap::Error) -> ExitCode {
    let written = asked_or_wrong.print();
    match (written, asked_or_wrong.use_stderr()) {
        (Ok(()), false) => ExitCode::SUCCESS,
        _ => USAGE.into(),
    }
}
