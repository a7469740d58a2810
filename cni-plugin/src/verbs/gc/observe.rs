//! What this node has of its attachments to the network, and what became of each.

use std::collections::BTreeMap;
use std::path::Path;

use berth_ipam::IpamError;
use berth_ipam::republish::Namespaces;
use berth_store::{KeyRange, Read, Revision, Store as _};
use berth_types::{
    AttachmentId, AttachmentRecord, IfName, LocalAttachment, NetnsRef, Phase, Record as _, keys,
};

use super::Side;
use super::decide::{Found, Life, Trace};
use crate::files::{Intent, RunFiles};
use crate::host::{Netlink, NetlinkError, Netns};
use crate::spec::{CniError, Config, ValidAttachments};
use crate::verbs::allocator::Allocator;
use crate::verbs::detach;
use crate::wanted::node_name;

/// All that tells of one attachment.
#[derive(Debug, Default)]
struct Traces {
    record: Option<LocalAttachment>,
    intent: Option<Intent>,
    stored: Option<(Revision, AttachmentRecord)>,
}

/// Looks at the store, then at the node. What the runtime has is not looked at further.
///
/// # Errors
/// Code 11 when the store cannot be read.
pub(super) fn observe(
    config: &Config,
    files: &RunFiles,
    side: &impl Side,
    (allocator, valid): (Option<&Allocator>, &ValidAttachments),
) -> Result<Vec<Found>, CniError> {
    let mut all = BTreeMap::<AttachmentId, Traces>::new();
    let open = match allocator {
        Some(allocator) => read_store(config, allocator, &mut all)?,
        None => true,
    };
    let node = node_name(config)?;
    let ours = |id: &AttachmentId| id.node == node && id.network == config.name;
    // Intents before records: an ADD writes its record before it gives its intent up.
    for intent in files.intents().into_iter().filter(|i| ours(&i.attachment)) {
        let traces = all.entry(intent.attachment.clone()).or_default();
        traces.intent = Some(intent);
    }
    for record in files.records().into_iter().filter(|r| ours(&r.attachment)) {
        let traces = all.entry(record.attachment.clone()).or_default();
        traces.record = Some(record);
    }
    let namespaces = Namespaces::find();
    let found = all.into_iter().filter_map(|(id, traces)| {
        let trace = traces.trace()?;
        let life = match &trace {
            _ if valid.has(&id.container, &id.ifname) => Life::NotAsked,
            Trace::Stored { .. } if !open => Life::Unclear("the store is closed".into()),
            _ => traces.life(&id.ifname, &namespaces, side),
        };
        Some(Found { id, trace, life })
    });
    Ok(found.collect())
}

/// Reads the node's attachments to the network; whether the store is open.
fn read_store(
    config: &Config,
    allocator: &Allocator,
    all: &mut BTreeMap<AttachmentId, Traces>,
) -> Result<bool, CniError> {
    let node = allocator.ipam.node();
    let prefix = keys::attachments_to(&node.name, &config.name);
    let reads = [
        Read::Get(keys::CLOSED.into()),
        Read::List(KeyRange::prefix(prefix)),
    ];
    let answer = allocator.wait(allocator.ipam.store().read(&reads));
    let answer = answer.map_err(|error| {
        CniError::from(IpamError::from(error)).details("nothing was cleaned up")
    })?;
    for entry in answer.lists.get(1).into_iter().flatten() {
        let Some(id) = keys::parse_attachment(&entry.key) else {
            continue;
        };
        // What cannot be read, and what another machine of this name wrote, is left alone.
        let Ok(record) = AttachmentRecord::decode(&id, &entry.value) else {
            continue;
        };
        if record.node_id == node.id && record.phase == Phase::Live {
            all.entry(id).or_default().stored = Some((entry.revision, record));
        }
    }
    Ok(answer.lists.first().is_none_or(Vec::is_empty))
}

impl Traces {
    fn trace(&self) -> Option<Trace> {
        let Self {
            record,
            intent,
            stored,
        } = self;
        if record.is_some() || intent.is_some() {
            return Some(Trace::Files {
                record: record.as_ref().map(|record| record.incarnation.clone()),
                intent: intent.as_ref().map(|intent| intent.incarnation.clone()),
            });
        }
        let (revision, record) = stored.as_ref()?;
        Some(Trace::Stored {
            revision: *revision,
            incarnation: record.incarnation.clone(),
        })
    }

    /// What became of it. Of several traces the one that says most for its life counts.
    fn life(&self, ifname: &IfName, namespaces: &Namespaces, side: &impl Side) -> Life {
        let Self {
            record,
            intent,
            stored,
        } = self;
        if let Some(record) = record {
            return of_record(record, namespaces, side);
        }
        if intent.is_some() {
            return Life::Killed;
        }
        let stored = stored.as_ref().map(|(_, record)| record);
        match stored.and_then(|record| Some((record, record.netns.as_ref()?))) {
            Some((_, netns)) if !namespaces.may_have(netns) => Life::Gone,
            Some((record, netns)) => of_namespace(ifname, record, netns, namespaces),
            None => Life::Unclear("nothing says in which namespace it was".into()),
        }
    }
}

fn of_record(record: &LocalAttachment, namespaces: &Namespaces, side: &impl Side) -> Life {
    if !namespaces.may_have(&record.netns) {
        return Life::Gone;
    }
    let also = namespaces.mounted_at(record.netns.inode);
    let stands = enter(&record.netns, also).and_then(|_| {
        let stands = side.stands(record, also);
        stands.map_err(|error| error.to_string())
    });
    match stands {
        Ok(true) => Life::Stands,
        Ok(false) => Life::Gone,
        Err(why) => Life::Unclear(why),
    }
}

/// Of an attachment without files: a link of its name in its namespace, which is marked for it, or
/// bears its address and is not marked for another. The number of the namespace may be another's.
fn of_namespace(
    ifname: &IfName,
    record: &AttachmentRecord,
    netns: &NetnsRef,
    namespaces: &Namespaces,
) -> Life {
    let look = || {
        let mut netlink = Netlink::open()?;
        let Some(link) = netlink.link_by_name(ifname)? else {
            return Ok(false);
        };
        let addresses = netlink.addresses(link.index)?;
        let mut addresses = addresses.iter();
        let bears = addresses.any(|known| record.addresses.contains(&known.ip()));
        let marked = detach::marked_for(&link, &record.incarnation);
        Ok::<_, NetlinkError>(marked.unwrap_or(bears))
    };
    let entered = enter(netns, namespaces.mounted_at(netns.inode));
    let seen = entered.and_then(|found| found.within(look).map_err(|error| error.to_string()));
    match seen {
        Ok(Ok(true)) => Life::Stands,
        Ok(Ok(false)) => Life::Gone,
        Ok(Err(error)) => Life::Unclear(error.to_string()),
        Err(why) => Life::Unclear(why),
    }
}

/// The namespace that may be that one; why it cannot be told, otherwise.
fn enter(netns: &NetnsRef, also: Option<&Path>) -> Result<Netns, String> {
    match Netns::find(netns, also) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err("its namespace cannot be entered".into()),
        Err(error) => Err(error.to_string()),
    }
}
