//! How a command ends: exit codes, and errors with what to do about them.

use std::error::Error as _;
use std::io::{self, Write};
use std::process::ExitCode;

use berth_ipam::IpamError;
use berth_ipam::closure::ClosureError;
use berth_ipam::node::adopt::AdoptError;
use berth_ipam::pools::PoolError;
use berth_ipam::republish::RepublishError;
use berth_ipam::reservations::ReserveError;
use berth_store::{ConfigError, StoreError};
use berth_types::BadRecord;

use crate::top::AgentError;

/// A command that ran to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All was done, all is well.
    Clean,
    /// Something was found or left undone, and said so.
    Findings,
    /// Nothing that is remembered answers the question, and said so.
    CouldNotTell,
    /// The host cannot serve its networks, and said why.
    Unfit,
}

/// A command that did not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was asked for makes no sense.
    #[error("{problem}")]
    Usage {
        /// Which value of what is wrong, and why.
        problem: String,
        /// What to write instead.
        hint: String,
    },
    /// The store's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store gave no decision.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A pool cannot be made, changed, deleted or found.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// Addresses cannot be kept, or not be let go.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// A record that this program must not touch.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// The node's own log of changes.
    #[error("the node's history cannot be read")]
    Log(#[source] io::Error),
    /// The store cannot be closed, opened or answered.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// A node cannot write what lives on it.
    #[error(transparent)]
    Republish(#[from] RepublishError),
    /// A node's name cannot be taken.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// The node's own files.
    #[error(transparent)]
    Node(#[from] IpamError),
    /// Something is not what it was when it was shown.
    #[error("{0} changed since it was looked at; nothing was done")]
    Changed(String),
    /// The traffic agent of a node.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The operator did not agree.
    #[error("not confirmed, so nothing was done")]
    Declined,
    /// Nobody is there to be asked.
    #[error("nothing was done: this needs a confirmation, and stdin is not a terminal")]
    NobodyToAsk,
    /// stdout or stderr.
    #[error("the output cannot be written")]
    Output(#[from] io::Error),
}

const DONE: u8 = 0;
const FINDINGS: u8 = 1;
const COULD_NOT_TELL: u8 = 2;
const USAGE: u8 = 64;

impl Failure {
    fn code(&self) -> u8 {
        match self {
            // Whoever reads along has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => DONE,
            Self::Store(_)
            | Self::Pool(PoolError::Store(_))
            | Self::Reserve(ReserveError::Store(_))
            | Self::Log(_)
            | Self::Closure(ClosureError::Store(_))
            | Self::Republish(
                RepublishError::Store(_)
                | RepublishError::NoRunDir(_)
                | RepublishError::Disk { .. },
            )
            | Self::Adopt(AdoptError::Store(_))
            | Self::Node(_)
            | Self::Agent(_)
            | Self::Output(_) => COULD_NOT_TELL,
            Self::Reserve(ReserveError::Partly { cause, .. })
                if matches!(**cause, ReserveError::Store(_)) =>
            {
                COULD_NOT_TELL
            }
            Self::Usage { .. }
            | Self::Config(_)
            | Self::Pool(PoolError::Invalid(_))
            | Self::NobodyToAsk => USAGE,
            Self::Pool(_)
            | Self::Reserve(_)
            | Self::Record(_)
            | Self::Closure(_)
            | Self::Republish(_)
            | Self::Adopt(_)
            | Self::Changed(_)
            | Self::Declined => FINDINGS,
        }
    }

    fn hint(&self) -> &str {
        match self {
            Self::Usage { hint, .. } => hint,
            Self::Config(_) => "correct --store, BERTH_STORE or the configuration file",
            Self::Store(error)
            | Self::Pool(PoolError::Store(error))
            | Self::Reserve(ReserveError::Store(error))
            | Self::Closure(ClosureError::Store(error))
            | Self::Republish(RepublishError::Store(error))
            | Self::Adopt(AdoptError::Store(error)) => store_hint(error),
            Self::Reserve(error) => error.hint(),
            Self::Closure(error) => error.hint(),
            Self::Republish(error) => error.hint(),
            Self::Node(error) => error.hint(),
            Self::Agent(error) => error.hint(),
            Self::Changed(_) => "look again, and repeat the command",
            Self::Pool(error) => error.hint(),
            Self::Record(_) | Self::Adopt(AdoptError::Record(_)) => {
                "look at the record; upgrade this program if a newer release wrote it"
            }
            Self::Adopt(_) => "run it again",
            Self::Log(_) => "check --state-dir, and run this on the node as root",
            Self::Declined => "answer y, or give --yes",
            Self::NobodyToAsk => "look at it with --dry-run, then give --yes",
            Self::Output(_) => "check where stdout and stderr lead to",
        }
    }
}

/// Nobody repeats a transaction for an operator.
const fn store_hint(error: &StoreError) -> &'static str {
    match error {
        StoreError::OutcomeUnknown { .. } => {
            "it may or may not have been done: look, and repeat the command if it was not"
        }
        other => other.hint(),
    }
}

/// Writes what went wrong, and answers the exit code.
pub(crate) fn exit(ended: Result<Ended, Failure>, stderr: &mut impl Write) -> ExitCode {
    let failure = match ended {
        Ok(Ended::Clean) => return ExitCode::from(DONE),
        Ok(Ended::Findings) => return ExitCode::from(FINDINGS),
        Ok(Ended::CouldNotTell | Ended::Unfit) => return ExitCode::from(COULD_NOT_TELL),
        Err(failure) => failure,
    };
    let code = failure.code();
    if code != DONE {
        let mut message = failure.to_string();
        let mut cause = failure.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        let written = writeln!(stderr, "error: {message}\n  hint: {}", failure.hint());
        // With nobody left to tell, the exit code has to say it all.
        drop(written);
    }
    ExitCode::from(code)
}

/// Prints help, the version, or what is wrong with the command line.
pub(crate) fn exit_with_usage(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    let code = if error.use_stderr() { USAGE } else { DONE };
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(COULD_NOT_TELL),
        _ => ExitCode::from(code),
    }
}
