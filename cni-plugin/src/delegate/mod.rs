//! Another plugin as IPAM: found, called, and its answer read (specification, section 4).
//!
//! It is called with this program's own environment and input, so that it sees what the runtime
//! sent. While it runs it shares the attachment's lock: where this program is killed, the DEL that
//! follows waits for the plugin to end, rather than to miss what that is about to take.

mod answer;
mod find;
mod process;

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::Command;

use berth_types::AttachmentId;
use serde_json::{Map, Value};

pub use answer::{Answer, Assigned};
use process::{Finished, Trouble};

use crate::spec::{CniError, Code, Config, OtherIpam, PluginName, Verb};

/// For how long a plugin may work, in milliseconds.
const DEADLINE_MS: u64 = 20_000;
/// The same for STATUS, which somebody waits for every few seconds.
const STATUS_DEADLINE_MS: u64 = 5_000;

/// An IPAM plugin, ready to be called.
#[derive(Clone, Debug)]
pub struct Delegate {
    plugin: PluginName,
    program: PathBuf,
    stdin: Vec<u8>,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Why.
    pub error: CniError,
    /// Whether the plugin says so itself, and so has nothing taken.
    pub clean: bool,
}

impl Delegate {
    /// Finds the plugin that the configuration names in `path`, which is `CNI_PATH`.
    ///
    /// # Errors
    /// Code 4 without `CNI_PATH`, 7 for a plugin that is in none of its folders.
    pub fn find(config: &Config, other: &OtherIpam, path: Option<&str>) -> Result<Self, CniError> {
        Ok(Self {
            plugin: other.plugin.clone(),
            program: find::program(&other.plugin, path)?,
            stdin: config.stdin.clone(),
        })
    }

    /// The same for an attachment that was made with another `ipam`, which is `section`.
    ///
    /// # Errors
    /// As [`Delegate::find`]; code 999 for a section that cannot be read.
    pub fn find_recorded(
        config: &Config,
        section: &Value,
        path: Option<&str>,
    ) -> Result<Self, CniError> {
        let damaged = || CniError::new(Code::Internal, "the attachment's record: no ipam.type");
        let plugin = section.get("type").and_then(Value::as_str);
        let plugin: PluginName = plugin
            .and_then(|raw| raw.parse().ok())
            .ok_or_else(damaged)?;
        let network = serde_json::from_slice::<Map<String, Value>>(&config.stdin);
        let mut network = network.map_err(|_error| damaged())?;
        network.insert("ipam".to_owned(), section.clone());
        Ok(Self {
            program: find::program(&plugin, path)?,
            plugin,
            stdin: Value::Object(network).to_string().into_bytes(),
        })
    }

    /// Asks it for addresses.
    ///
    /// # Errors
    /// Its own error; 11 when it does not answer, 5 when it cannot be run, 6 for an answer that is
    /// none, 1 for one of a version that is not spoken.
    pub fn add(&self, id: &AttachmentId, lock: BorrowedFd<'_>) -> Result<Answer, Failed> {
        let called = self.run(Verb::Add, Some(id), Some(lock))?;
        Answer::parse(&called).map_err(|error| Failed {
            error: self.named(error),
            clean: false,
        })
    }

    /// Gives up what it gave to the attachment. May be repeated.
    ///
    /// # Errors
    /// As [`Delegate::add`]: something may be left.
    pub fn del(&self, id: &AttachmentId, lock: BorrowedFd<'_>) -> Result<(), CniError> {
        let called = self.run(Verb::Del, Some(id), Some(lock));
        called.map(drop).map_err(|failed| failed.error)
    }

    /// CHECK, STATUS or GC, with the environment as it is.
    ///
    /// # Errors
    /// As [`Delegate::add`].
    pub fn pass_on(&self, verb: Verb) -> Result<(), CniError> {
        let called = self.run(verb, None, None);
        called.map(drop).map_err(|failed| failed.error)
    }

    fn run(
        &self,
        verb: Verb,
        id: Option<&AttachmentId>,
        lock: Option<BorrowedFd<'_>>,
    ) -> Result<Vec<u8>, Failed> {
        let mut command = Command::new(&self.program);
        command.env("CNI_COMMAND", verb.to_string());
        if let Some(id) = id {
            command.env("CNI_CONTAINERID", id.container.to_string());
            command.env("CNI_IFNAME", id.ifname.to_string());
        }
        let deadline_ms = match verb {
            Verb::Status => STATUS_DEADLINE_MS,
            _ => DEADLINE_MS,
        };
        let finished = process::run(&mut command, &self.stdin, deadline_ms, lock);
        let finished = finished.map_err(|trouble| self.troubled(verb, &trouble))?;
        let Finished { succeeded, stdout } = finished;
        if succeeded {
            return Ok(stdout);
        }
        if let Some(error) = answer::error(&stdout) {
            return Err(Failed {
                error: self.retold(verb, error),
                clean: true,
            });
        }
        let message = format!("{} failed at {verb}, and printed no CNI error", self.plugin);
        Err(Failed {
            error: CniError::new(Code::Decode, message)
                .details("see what it wrote to stderr, in the runtime's log"),
            clean: false,
        })
    }

    /// Its error as ours: the same code, and who says so.
    fn retold(&self, verb: Verb, told: answer::ErrorObject) -> CniError {
        let answer::ErrorObject { code, msg, details } = told;
        let message = format!("{}: {msg}", self.plugin);
        // A runtime takes a DEL whose error says "not found" for done.
        let (message, details) = if verb == Verb::Del {
            [message, details]
                .map(|text| text.replace("not found", "not-found"))
                .into()
        } else {
            (message, details)
        };
        let error = CniError::foreign(code, message);
        if details.is_empty() {
            error.details(format!(
                "plugin {} says so: see its documentation",
                self.plugin
            ))
        } else {
            error.details(details)
        }
    }

    fn troubled(&self, verb: Verb, trouble: &Trouble) -> Failed {
        let program = self.program.display();
        let error = match trouble {
            Trouble::Start(error) | Trouble::Io(error) => CniError::io(program, error),
            Trouble::Late { after_ms } => {
                let seconds = after_ms / 1000;
                let message =
                    format!("{program} has not answered {verb} for {seconds} s, and was ended");
                CniError::new(Code::TryAgain, message)
                    .details("see what that plugin waits for; the runtime tries again")
            }
            Trouble::Endless => {
                let message = format!("{program} printed more than 1 MiB at {verb}, and was ended");
                CniError::new(Code::Decode, message)
                    .details("use another plugin, or another release of it")
            }
        };
        Failed {
            error,
            clean: matches!(trouble, Trouble::Start(_)),
        }
    }

    fn named(&self, error: CniError) -> CniError {
        error.details(format!("it is the answer of plugin {}", self.plugin))
    }
}
