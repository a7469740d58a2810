//! Error objects: a code, a message that names the field and the value, and what to do.

use std::fmt;
use std::io;

use berth_ipam::IpamError;
use serde_json::json;

use super::Version;

/// The specification's codes (section "Error"), the Go library's 8 and 999, and Berth's own from
/// 101 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Code {
    /// The configuration's version is not spoken.
    IncompatibleVersion = 1,
    /// A field of our own section is not known.
    UnsupportedField = 2,
    /// The container does not exist; nothing needs to be cleaned up.
    UnknownContainer = 3,
    /// A required environment variable is missing or malformed.
    InvalidEnvironment = 4,
    /// A file could not be read or written.
    Io = 5,
    /// Input that does not parse.
    Decode = 6,
    /// A configuration that cannot work.
    InvalidConfig = 7,
    /// The namespace is not one that a container may have.
    InvalidNetns = 8,
    /// Try again later.
    TryAgain = 11,
    /// STATUS: no ADD can be served.
    NotAvailable = 50,
    /// The pool has no free address.
    PoolExhausted = 101,
    /// The address belongs to somebody else.
    AddressHeld = 102,
    /// Somebody on the wire answers for the address, or bears its hardware address.
    AddressConflict = 103,
    /// The gateway does not answer on the wire.
    GatewaySilent = 104,
    /// The pool does not hand out the address that was asked for.
    NotInPool = 105,
    /// The pool hands out nothing any more.
    PoolDraining = 106,
    /// The store is closed, or older than what this node has seen.
    StoreClosed = 107,
    /// A fault in this program or on this host that has no code of its own.
    Internal = 999,
}

/// Most characters of a value that an error shows.
const SHOWN: usize = 200;
/// Most characters of a message, whatever it repeats of what was sent.
const LONGEST: usize = 1000;

/// A failed call, as the runtime is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CniError {
    code: Code,
    /// The code in another plugin's words, where this one has none for it.
    foreign: Option<u32>,
    message: String,
    details: String,
}

impl CniError {
    /// An error without details. Of a very long message only the beginning is kept.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            foreign: None,
            message: shortened(&message.into(), LONGEST),
            details: String::new(),
        }
    }

    /// Adds what to do, or what is left behind.
    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        if self.details.is_empty() {
            self.details = details.into();
        } else {
            self.details = format!("{}; {}", self.details, details.into());
        }
        self
    }

    /// A configuration field that cannot work: names it, its value, and what would be right.
    ///
    /// Of a long value only the beginning is shown.
    pub fn field(name: &str, value: impl fmt::Display, remedy: &str) -> Self {
        let value = shortened(&value.to_string(), SHOWN);
        Self::new(
            Code::InvalidConfig,
            format!("{name}: {value} cannot be used"),
        )
        .details(remedy)
    }

    /// A file that could not be read or written.
    pub fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        Self::new(Code::Io, format!("{what}: {error}")).details(Code::Io.remedy())
    }

    /// The same with another code, where the verb knows a better one.
    #[must_use]
    pub fn with_code(self, code: Code) -> Self {
        let foreign = None;
        Self {
            code,
            foreign,
            ..self
        }
    }

    /// Another plugin's error, under its own code. Of this program's words that is the one of the
    /// same number, where the specification has it.
    pub fn foreign(code: u32, message: impl Into<String>) -> Self {
        let known = Code::OF_THE_SPECIFICATION.into_iter();
        let same = known.into_iter().find(|known| u32::from(*known) == code);
        Self {
            foreign: Some(code),
            ..Self::new(same.unwrap_or(Code::Internal), message)
        }
    }

    /// Its code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What went wrong, without what to do.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        if self.details.is_empty() {
            self.code.remedy()
        } else {
            &self.details
        }
    }

    /// The error object of the specification.
    pub fn to_json(&self, version: Version) -> String {
        let object = json!({
            "cniVersion": version.as_str(),
            "code": self.foreign.unwrap_or_else(|| u32::from(self.code)),
            "msg": self.message,
            "details": self.remedy(),
        });
        format!("{object:#}\n")
    }
}

/// The text, or its first characters and a sign that there are more.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl Code {
    /// Those that mean the same to every plugin.
    const OF_THE_SPECIFICATION: [Self; 9] = [
        Self::IncompatibleVersion,
        Self::UnsupportedField,
        Self::UnknownContainer,
        Self::InvalidEnvironment,
        Self::Io,
        Self::Decode,
        Self::InvalidConfig,
        Self::TryAgain,
        Self::NotAvailable,
    ];

    /// What to do about an error that says nothing better.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::IncompatibleVersion => "use another cniVersion; VERSION lists those spoken",
            Self::UnsupportedField => "remove the field, or correct its spelling",
            Self::UnknownContainer => "start the container again",
            Self::InvalidEnvironment => "set the environment variable as the specification says",
            Self::Io => "check the path's owner, mode and free space",
            Self::Decode => "pass one JSON object, as in the CNI specification",
            Self::InvalidConfig => "correct the value in the network configuration",
            Self::InvalidNetns => "pass a container's network namespace as CNI_NETNS",
            Self::TryAgain => "nothing: the runtime tries again",
            Self::NotAvailable => "bring the master up, or the store back",
            Self::PoolExhausted => "extend the pool, or release what is unused",
            Self::AddressHeld => "ask for another address, or release it",
            Self::AddressConflict => "find the other interface with `ip -d link`",
            Self::GatewaySilent => "see that the gateway is up and in the interface's VLAN",
            Self::NotInPool => "ask for an address of the pool; `cnictl pool show` lists them",
            Self::PoolDraining => "use another pool",
            Self::StoreClosed => "see the reason in the message",
            Self::Internal => "read the message; if it does not help, report it with `ip -d link`",
        }
    }
}

impl From<Code> for u32 {
    #[expect(
        clippy::as_conversions,
        reason = "the discriminant of a repr(u32) enum"
    )]
    fn from(code: Code) -> Self {
        code as Self
    }
}

impl fmt::Display for CniError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.details.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.details)
        }
    }
}

impl From<IpamError> for CniError {
    fn from(error: IpamError) -> Self {
        let code = match &error {
            IpamError::NoSuchPool(_)
            | IpamError::NotAdmitted { .. }
            | IpamError::NoSuchReservation(_)
            | IpamError::ReservationElsewhere { .. }
            | IpamError::NodeNameTaken(_) => Code::InvalidConfig,
            IpamError::PoolClosed { .. } => Code::PoolDraining,
            IpamError::Exhausted { .. } => Code::PoolExhausted,
            IpamError::Held { .. } | IpamError::Reserved { .. } => Code::AddressHeld,
            IpamError::Conflict { .. } => Code::AddressConflict,
            IpamError::NotInPool { .. } | IpamError::NotInReservation { .. } => Code::NotInPool,
            IpamError::Closed { .. } | IpamError::SetBack(_) | IpamError::DeclaredDead(_) => {
                Code::StoreClosed
            }
            IpamError::Store(_)
            | IpamError::Contended { .. }
            | IpamError::JournalFull { .. }
            | IpamError::ReservationInUse { .. }
            | IpamError::NotProvenGone { .. }
            | IpamError::Doubtful { .. } => Code::TryAgain,
            IpamError::Disk { .. } => Code::Io,
            _ => Code::Internal,
        };
        let hint = error.hint();
        Self::new(code, error.to_string()).details(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = include_str!("../../../docs/error-codes.md");

    #[test]
    fn every_code_is_documented_under_its_name() {
        use Code::*;
        let all = [
            IncompatibleVersion,
            UnsupportedField,
            UnknownContainer,
            InvalidEnvironment,
            Io,
            Decode,
            InvalidConfig,
            InvalidNetns,
            TryAgain,
            NotAvailable,
            PoolExhausted,
            AddressHeld,
            AddressConflict,
            GatewaySilent,
            NotInPool,
            PoolDraining,
            StoreClosed,
            Internal,
        ];
        for code in all {
            let row = format!("| {} | {code:?} |", u32::from(code));
            assert!(DOCUMENTED.contains(&row), "docs/error-codes.md lacks {row}");
        }
        let rows = DOCUMENTED
            .lines()
            .filter(|line| line.starts_with("| "))
            .count();
        assert_eq!(
            rows,
            all.len() + 1,
            "docs/error-codes.md has a row too many"
        );
    }

    #[test]
    fn a_long_value_is_shown_by_its_beginning() {
        let long = "ä".repeat(100_000);
        let error = CniError::field("mode", &long, "use bridge");
        let message = error.message();
        assert_eq!(message.chars().filter(|c| *c == 'ä').count(), SHOWN);
        assert!(message.starts_with("mode: ä") && message.ends_with("… cannot be used"));
        let error = CniError::new(Code::Decode, long);
        assert_eq!(error.message().chars().count(), LONGEST + 1);
        let short = "ä".repeat(SHOWN);
        let error = CniError::field("mode", &short, "use bridge");
        assert!(error.message().contains(&short));
    }

    #[test]
    fn case_30_no_error_of_a_del_reads_like_success_to_a_runtime() {
        // go-cni takes a DEL whose error says "not found" for done.
        let error = CniError::from(IpamError::NoSuchPool("prod".parse().unwrap()));
        assert!(!error.to_json(Version::V1_1_0).contains("not found"));
    }
}
