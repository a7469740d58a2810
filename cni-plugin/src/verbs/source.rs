//! Where an attachment's addresses come from: Berth's own IPAM, or another plugin.
//!
//! The verbs that make and remove interfaces know only this.

use berth_ipam::fault::checkpoint;
use berth_ipam::{Evidence, Known, Request};
use berth_types::{AttachmentId, LocalAttachment, MacAddr};
use jiff::Timestamp;
use serde_json::Value;

use super::allocator::Allocator;
use super::claim::{Unclaimed, claim};
use super::given::Given;
use crate::delegate::{Delegate, Failed};
use crate::files::{Intent, Locked, RunFiles};
use crate::spec::{CniError, Config, Invocation, IpamConfig};

/// Where addresses come from.
#[derive(Debug)]
pub(super) struct Source<'a> {
    config: &'a Config,
    /// `CNI_PATH`.
    path: Option<&'a str>,
    giver: Giver,
}

#[derive(Debug)]
enum Giver {
    Own(Box<Allocator>),
    Other(Delegate),
}

/// One life of an attachment, as its files tell of it.
#[derive(Clone, Debug)]
pub(super) struct Life {
    id: AttachmentId,
    /// What is known of it; nothing where the node has no file.
    known: Option<Known>,
    /// The section `ipam` it was made with, where another plugin gave its addresses.
    ipam: Option<Value>,
}

/// What became of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Released {
    /// The store has it.
    Made,
    /// It waits on disk for the store.
    Waits,
    /// It was no business of a store.
    Elsewhere,
}

impl Life {
    /// A complete interface's.
    pub(super) fn of_record(record: &LocalAttachment) -> Self {
        Self {
            id: record.attachment.clone(),
            known: Some(Known::of(record)),
            ipam: record.ipam.clone(),
        }
    }

    /// An unfinished ADD's.
    pub(super) fn of_intent(intent: &Intent) -> Self {
        Self {
            id: intent.attachment.clone(),
            known: Some(Known::unfinished(intent.incarnation.clone())),
            ipam: intent.ipam.clone(),
        }
    }

    /// Whose.
    pub(super) const fn id(&self) -> &AttachmentId {
        &self.id
    }

    /// Whether no other plugin gave it its addresses.
    pub(super) const fn is_of_own_ipam(&self) -> bool {
        self.ipam.is_none()
    }

    /// One of which the node has no file.
    pub(super) const fn forgotten(id: AttachmentId) -> Self {
        Self {
            id,
            known: None,
            ipam: None,
        }
    }
}

impl<'a> Source<'a> {
    /// The source that the configuration names.
    ///
    /// # Errors
    /// As [`Allocator::open`] and [`Delegate::find`].
    pub(super) fn open(call: &'a Invocation, config: &'a Config) -> Result<Self, CniError> {
        Self::open_in(call.path.as_deref(), config)
    }

    /// The same with `CNI_PATH` as it is.
    pub(super) fn open_in(path: Option<&'a str>, config: &'a Config) -> Result<Self, CniError> {
        let giver = match &config.ipam {
            IpamConfig::Own(_) => Giver::Own(Box::new(Allocator::open(config)?)),
            IpamConfig::Other(other) => Giver::Other(Delegate::find(config, other, path)?),
        };
        Ok(Self {
            config,
            path,
            giver,
        })
    }

    /// Berth's own IPAM, where that is the source.
    pub(super) fn allocator(&self) -> Option<&Allocator> {
        match &self.giver {
            Giver::Own(allocator) => Some(allocator),
            Giver::Other(_) => None,
        }
    }

    /// Takes addresses for the attachment that `locked` is of.
    pub(super) fn claim(
        &self,
        request: &Request,
        evidence: &dyn Evidence,
        locked: &Locked,
    ) -> Result<Given, Unclaimed> {
        let delegate = match &self.giver {
            Giver::Own(allocator) => {
                return claim(allocator, request, evidence).map(Given::Lease);
            }
            Giver::Other(delegate) => delegate,
        };
        checkpoint("add.delegate.before");
        let answer = delegate.add(&request.attachment, locked.shared());
        checkpoint("add.claimed");
        let answer = answer.map_err(|Failed { error, clean }| Unclaimed {
            error,
            clean,
            store_away: false,
        })?;
        let first = answer.addresses.first().map(|a| a.cidr.ip());
        let mac = request.mac.or_else(|| first.map(MacAddr::of_address));
        let nothing = || CniError::new(crate::spec::Code::Decode, "no address was given");
        match mac {
            Some(mac) => Ok(Given::Answer { answer, mac }),
            None => Err(Unclaimed {
                clean: false,
                ..Unclaimed::unsent(nothing())
            }),
        }
    }

    /// Gives up what that life has. May be repeated.
    ///
    /// # Errors
    /// Code 11 when it can neither be made nor noted; code 5; another plugin's own; 7 for what Berth
    /// gave and the configuration has no store for.
    pub(super) fn release(&self, life: &Life, locked: &Locked) -> Result<Released, CniError> {
        let Life { id, known, ipam } = life;
        match (ipam, &self.giver) {
            (Some(section), _) => {
                let delegate = Delegate::find_recorded(self.config, section, self.path)?;
                delegate.del(id, locked.shared())?;
            }
            (None, Giver::Own(allocator)) => {
                let ipam = &allocator.ipam;
                let release = ipam.release_or_journal(id, known.as_ref(), Timestamp::now());
                let released = allocator.wait(release)?;
                return Ok(match released {
                    Some(_) => Released::Made,
                    None => Released::Waits,
                });
            }
            (None, Giver::Other(_)) if known.is_some() => {
                self.config.ipam.own()?;
            }
            (None, Giver::Other(delegate)) => delegate.del(id, locked.shared())?,
        }
        Ok(Released::Elsewhere)
    }

    /// Makes some of the releases that waited for the store.
    pub(super) fn drain(&self) {
        if let Some(allocator) = self.allocator() {
            allocator.drain();
        }
    }

    /// What a call that succeeded does for others, briefly.
    pub(super) fn drain_briefly(&self, files: &RunFiles) {
        if let Some(allocator) = self.allocator() {
            files.note_store_back();
            allocator.drain_briefly();
        }
    }
}
