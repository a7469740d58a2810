//! GC: ends what this node still has of attachments that the runtime no longer has.
//!
//! The runtime's list is not proof enough: another runtime may share the network, and the list may
//! be of a moment ago. So an attachment that is not on it is ended only when its interface, or the
//! namespace that had it, is gone; or when its ADD was killed and told nobody of an interface.
//! What cannot be told is alive. Only this node's attachments to this network are looked at.
//!
//! Allocations are read first and namespaces after, so that what is allocated meanwhile is not
//! seen at all. Each attachment is ended under its lock, as DEL would end it; one that a call works
//! on is left to that call.

mod decide;
mod end;
mod observe;
mod seen;

use std::path::Path;

use berth_ipam::uptime_ms;
use berth_types::{AttachmentId, LocalAttachment};

use super::detach;
use super::leavings::Leavings;
use super::source::Source;
use crate::delegate::Delegate;
use crate::files::{Intent, RunFiles};
use crate::ovs::pending;
use crate::spec::{CniError, Code, Config, Invocation, IpamConfig, MainConfig, Verb};
use decide::{Decision, decide};
use end::Sweep;
use observe::observe;
use seen::SeenFile;

/// How many failures the error tells of.
const TOLD: usize = 5;

/// What differs between a plugin that makes interfaces and one that gives addresses to others'.
pub(super) trait Side {
    /// Whether a complete interface stands, where it was made or in the namespace at `also`.
    ///
    /// # Errors
    /// When that cannot be told.
    fn stands(&self, record: &LocalAttachment, also: Option<&Path>) -> Result<bool, CniError>;

    /// Removes what there still is of it on the node.
    ///
    /// # Errors
    /// Code 11: something may still be there.
    fn clear(
        &self,
        id: &AttachmentId,
        intent: Option<&Intent>,
        record: Option<&LocalAttachment>,
    ) -> Result<(), CniError>;
}

/// The plugin that makes the interfaces itself.
#[derive(Debug)]
struct Own<'a> {
    leavings: Leavings<'a>,
}

impl Side for Own<'_> {
    fn stands(&self, record: &LocalAttachment, also: Option<&Path>) -> Result<bool, CniError> {
        detach::stands(record, also)
    }

    fn clear(
        &self,
        id: &AttachmentId,
        intent: Option<&Intent>,
        record: Option<&LocalAttachment>,
    ) -> Result<(), CniError> {
        if let Some(intent) = intent {
            detach::remove_half_made(intent, None)?;
        }
        if let Some(record) = record {
            detach::remove_complete(record, None)?;
        }
        if record.is_none() && intent.is_none() {
            // The store told of it: there was an ADD.
            self.leavings.remove_unrecorded(id, detach::Trace::Some)?;
        }
        self.leavings.remove(intent, record)
    }
}

/// Ends what the runtime no longer has and what is gone. May be repeated.
///
/// # Errors
/// Code 7 for a list that cannot be read; 11 when the store cannot be asked, and nothing was done;
/// one error for all attachments that could not be ended, after the others were; another IPAM
/// plugin's own.
pub fn gc(call: &Invocation, config: &MainConfig) -> Result<String, CniError> {
    let MainConfig {
        common: config,
        link,
        misspelt: _,
    } = config;
    let leavings = Leavings {
        config,
        link: Some(link),
    };
    let files = RunFiles::new(&config.run_dir);
    let swept = sweep(call, config, &files, &Own { leavings });
    pending::drain(&config.state_dir);
    let IpamConfig::Other(other) = &config.ipam else {
        return swept;
    };
    if config.gc.disabled()? {
        return swept;
    }
    let delegate = Delegate::find(config, other, call.path.as_deref())?;
    match (swept, delegate.pass_on(Verb::Gc)) {
        (Err(error), Err(other)) => Err(error.details(other.to_string())),
        (Err(error), Ok(())) | (Ok(_), Err(error)) => Err(error),
        (Ok(swept), Ok(())) => Ok(swept),
    }
}

/// GC of the attachments in `files`.
pub(super) fn sweep(
    call: &Invocation,
    config: &Config,
    files: &RunFiles,
    side: &impl Side,
) -> Result<String, CniError> {
    if config.gc.disabled()? {
        return Ok(String::new());
    }
    let valid = config.gc.valid()?;
    let source = Source::open(call, config)?;
    let found = observe(config, files, side, (source.allocator(), &valid))?;
    let node = source.allocator().map(|allocator| allocator.ipam.node());
    // Without a store there is nothing that only a store tells of.
    let boot = node.map(|node| node.boot_id.as_str()).unwrap_or_default();
    let file = SeenFile::new(files, &config.name);
    let Decision { ends, seen } = decide(found, &valid, &file.read(boot), uptime_ms());
    file.write(&seen, boot);
    let sweep = Sweep {
        files,
        side,
        source: &source,
    };
    let asked = ends.len();
    let failed: Vec<_> = ends
        .into_iter()
        .filter_map(|found| {
            let id = found.id.clone();
            sweep.end(found).err().map(|error| (id, error))
        })
        .collect();
    sweep.remove_empty_intents(config)?;
    source.drain();
    all_ended(asked, &failed)
}

/// One error for all that failed.
fn all_ended(asked: usize, failed: &[(AttachmentId, CniError)]) -> Result<String, CniError> {
    let Some((_, first)) = failed.first() else {
        return Ok(String::new());
    };
    let again = failed
        .iter()
        .any(|(_, error)| error.code() == Code::TryAgain);
    let code = if again { Code::TryAgain } else { first.code() };
    let told = failed.iter().take(TOLD);
    let mut told: Vec<_> = told.map(|(id, error)| format!("{id}: {error}")).collect();
    if let Some(more) = failed.len().checked_sub(TOLD).filter(|more| *more > 0) {
        told.push(format!("and {more} more"));
    }
    let message = format!(
        "GC: {} of {asked} attachments could not be ended: {}",
        failed.len(),
        told.join("; ")
    );
    Err(CniError::new(code, message).details("the others were; the next GC tries again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_45_all_failures_are_one_error() {
        let failed = |n: usize, code| {
            let id = format!("n1/pods/c{n}/eth0").parse().unwrap();
            (id, CniError::new(code, "it stands"))
        };
        assert_eq!(all_ended(3, &[]), Ok(String::new()));
        let some: Vec<_> = (0..7).map(|n| failed(n, Code::Io)).collect();
        let error = all_ended(9, &some).unwrap_err();
        assert_eq!(error.code(), Code::Io);
        for told in ["7 of 9", "c0", "c4", "and 2 more"] {
            assert!(error.to_string().contains(told), "{told}: {error}");
        }
        let mixed = [failed(0, Code::Io), failed(1, Code::TryAgain)];
        assert_eq!(all_ended(2, &mixed).unwrap_err().code(), Code::TryAgain);
    }
}
