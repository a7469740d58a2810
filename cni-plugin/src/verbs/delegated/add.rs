//! ADD of a delegated plugin: intent, claim, record, result.

use berth_ipam::fault::checkpoint;
use berth_ipam::{Known, Lease};
use berth_types::{AttachmentId, Incarnation, LocalAttachment, LocalLink, MacAddr, SchemaVersion};
use jiff::Timestamp;

use super::evidence::OthersSandboxes;
use super::standing::Bearer;
use crate::files::{Intent, Locked, RunFiles};
use crate::host::{Link, Netlink, Netns};
use crate::spec::{CniError, CniResult, Code, Config, Invocation};
use crate::verbs::allocator::{Allocator, random};
use crate::verbs::claim::claim;
use crate::verbs::given;
use crate::wanted::{Wish, attachment};

/// Everything an ADD knows before it changes anything.
struct Work<'a> {
    config: &'a Config,
    files: RunFiles,
    wish: Wish,
    id: AttachmentId,
    incarnation: Incarnation,
    netns: Netns,
    /// The interface, where the main plugin has made it already.
    link: Option<Link>,
}

/// What there was before.
enum Earlier {
    /// The interface, with what it was given: this is its ADD's result.
    Stands(CniResult),
    /// An ADD that was killed; what it claimed is still to be found out.
    Unfinished,
    /// Nothing, or an interface that is gone or down by now.
    Ended,
}

/// Whether the store may hold something of this attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claimed {
    /// Nothing of this call.
    Nothing,
    /// Something, unless it is found out that it does not.
    Perhaps,
}

/// Gives the container's interface its addresses, all of them or none.
///
/// Repeated, it gives the same ones again.
///
/// # Errors
/// What went wrong, with what to do; the details say what could not be undone.
pub fn add(call: &Invocation, config: &Config) -> Result<String, CniError> {
    let work = prepare(call, config)?;
    let allocator = Allocator::open(config)?;
    let mut locked = work.files.lock(&work.id)?;
    let mut claimed = match work.end_earlier_life(&mut locked, &allocator)? {
        Earlier::Stands(result) => {
            locked.finish()?;
            return Ok(result.to_json(config.version));
        }
        Earlier::Unfinished => Claimed::Perhaps,
        Earlier::Ended => Claimed::Nothing,
    };
    locked.write_intent(&work.intent())?;
    checkpoint("add.intent");
    let sandboxes = OthersSandboxes {
        files: &work.files,
        own: &work.id,
    };
    let netns = work.netns.at().clone();
    let mac = work.link.as_ref().and_then(|link| link.mac);
    let (id, incarnation) = (work.id.clone(), work.incarnation.clone());
    let request = work.wish.request(id, incarnation, netns, mac);
    let recorded = match claim(&allocator, &request, &sandboxes) {
        Ok(lease) => {
            claimed = Claimed::Perhaps;
            work.record(&locked, &lease)
        }
        Err(unclaimed) => {
            if unclaimed.store_away {
                work.files.note_store_away();
            }
            if !unclaimed.clean {
                claimed = Claimed::Perhaps;
            }
            Err(unclaimed.error)
        }
    };
    match recorded {
        Ok(result) => {
            checkpoint("add.recorded");
            locked.finish()?;
            work.files.note_store_back();
            allocator.drain_briefly();
            Ok(result.to_json(config.version))
        }
        Err(error) => Err(work.undo(claimed, &allocator, locked, error)),
    }
}

fn prepare<'a>(call: &Invocation, config: &'a Config) -> Result<Work<'a>, CniError> {
    let wish = Wish::new(call, config)?;
    let id = attachment(call, config)?;
    let path = call
        .netns()
        .ok_or_else(|| CniError::new(Code::InvalidEnvironment, "ADD needs CNI_NETNS"))?;
    let netns = Netns::open(path)?;
    let link = netns.within(|| Netlink::open()?.link_by_name(&id.ifname))??;
    Ok(Work {
        config,
        files: super::files(config),
        wish,
        id,
        incarnation: Incarnation::from_random(random()?),
        netns,
        link,
    })
}

impl Work<'_> {
    fn intent(&self) -> Intent {
        Intent {
            v: SchemaVersion,
            attachment: self.id.clone(),
            incarnation: self.incarnation.clone(),
            netns: self.netns.at().clone(),
            mac: None,
            port: None,
            ipam: None,
            host_end: None,
        }
    }

    /// What an earlier life of the id holds is left to this one's claim; under another name of
    /// the network or the node it is given up.
    fn end_earlier_life(
        &self,
        locked: &mut Locked,
        allocator: &Allocator,
    ) -> Result<Earlier, CniError> {
        let left = locked.left_intent()?;
        let ended = if left.is_some() {
            Earlier::Unfinished
        } else {
            Earlier::Ended
        };
        if let Some(killed) = left {
            // No main plugin was told of its addresses.
            if killed.attachment == self.id {
                let ipam = &allocator.ipam;
                ipam.expect_late(&self.id, &killed.incarnation, Timestamp::now())?;
            } else {
                let known = Known::unfinished(killed.incarnation);
                release(allocator, &killed.attachment, &known)?;
            }
        }
        let Some(record) = locked.record()? else {
            return Ok(ended);
        };
        let bearer = Bearer::from(&record);
        if record.attachment == self.id {
            if record.netns == *self.netns.at() && bearer.stands(None)? {
                return again(record);
            }
            bearer.take_down(None)?;
            return Ok(ended);
        }
        if !bearer.is_gone(None)? {
            let message = format!(
                "CNI_IFNAME: {} is the interface of {}",
                self.id.ifname, record.attachment
            );
            return Err(CniError::new(Code::InvalidEnvironment, message)
                .details("use another interface name, or delete that attachment first"));
        }
        release(allocator, &record.attachment, &Known::of(&record))?;
        locked.remove_record()?;
        Ok(ended)
    }

    /// Writes down what was given, and says so.
    fn record(&self, locked: &Locked, lease: &Lease) -> Result<CniResult, CniError> {
        let addresses = given::addresses(lease)?;
        let result = CniResult {
            interfaces: Vec::new(),
            ips: given::ips(&addresses, None),
            routes: given::routes(lease),
            dns: self.config.dns.clone(),
        };
        let printed = serde_json::to_value(&result)
            .map_err(|error| CniError::new(Code::Internal, error.to_string()))?;
        locked.write_record(&LocalAttachment {
            v: SchemaVersion,
            attachment: self.id.clone(),
            incarnation: self.incarnation.clone(),
            pod: self.wish.pod.clone(),
            // The interface is another plugin's: nobody counts it by this record.
            workload: None,
            netns: self.netns.at().clone(),
            link: self.local_link(lease.mac),
            addresses,
            revision: Some(lease.revision.0),
            ipam: None,
            result: printed,
        })?;
        Ok(result)
    }

    /// The interface as it was seen; index 0 says that it was not there yet. Its master is the
    /// main plugin's to know.
    fn local_link(&self, mac: MacAddr) -> LocalLink {
        LocalLink {
            mac,
            ifindex: self.link.as_ref().map_or(0, |link| link.index),
            master: String::new(),
            vlan: None,
            port: None,
            host_end: None,
            ingress_rate: None,
            egress_rate: None,
        }
    }

    /// Gives up what was claimed, or may have been. The intent stays where that failed; while
    /// nothing was given up, an earlier life's record says what it still holds.
    fn undo(
        &self,
        claimed: Claimed,
        allocator: &Allocator,
        locked: Locked,
        cause: CniError,
    ) -> CniError {
        let given_up = match claimed {
            Claimed::Nothing => Ok(()),
            Claimed::Perhaps => {
                let known = Known::unfinished(self.incarnation.clone());
                release(allocator, &self.id, &known).and_then(|()| locked.remove_record())
            }
        };
        checkpoint("add.undo.released");
        match given_up.and_then(|()| locked.finish()) {
            Ok(()) => cause,
            Err(error) => cause.details(format!("left behind: {error}")),
        }
    }
}

fn again(record: LocalAttachment) -> Result<Earlier, CniError> {
    let result = serde_json::from_value(record.result);
    result
        .map(Earlier::Stands)
        .map_err(|error| CniError::new(Code::Internal, format!("the attachment's record: {error}")))
}

fn release(allocator: &Allocator, id: &AttachmentId, known: &Known) -> Result<(), CniError> {
    let ipam = &allocator.ipam;
    let release = ipam.release_or_journal(id, Some(known), Timestamp::now());
    allocator.wait(release).map(drop).map_err(CniError::from)
}
