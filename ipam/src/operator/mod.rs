//! An operator takes addresses away from their holders: decided on what was shown, and made only
//! if nothing of it changed since.
//!
//! [`look()`] reads, [`plan`] decides, [`Release::commit`] makes one attachment's release.

mod commit;
mod look;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_store::Revision;
use berth_types::{AddressRecord, AttachmentId, AttachmentRecord, BadRecord, Holder};

use look::Seen;
pub use look::{View, look};

/// What is to be done about the addresses an operator named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One release per attachment that holds some of them, in the order of the attachments.
    pub releases: Vec<Release>,
    /// The addresses that are left as they are, in order.
    pub untouched: Vec<(IpAddr, Untouched)>,
}

/// Why an address is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untouched {
    /// It has no record: nobody ever held it.
    NeverHeld,
    /// Nobody holds it.
    Free {
        /// The revision that says so.
        revision: Revision,
        /// What it says.
        record: Box<AddressRecord>,
    },
    /// Its record, or that of its holder's attachment, must not be touched.
    Unreadable(BadRecord),
}

/// The release of some addresses of one attachment, with everything it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Whose addresses they are.
    pub attachment: AttachmentId,
    /// The addresses, in order, each held by that attachment.
    pub addresses: Vec<Held>,
    attached: Option<(Revision, AttachmentRecord)>,
}

/// An address that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The address.
    pub address: IpAddr,
    /// When its record was written.
    pub revision: Revision,
    /// Who holds it.
    pub holder: Holder,
    record: AddressRecord,
}

/// How a planned release ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It was made, at this revision.
    Released(Revision),
    /// Something it rests on changed since it was looked at; nothing was released.
    Changed,
}

/// Decides what the release of the addresses of `view` takes. Pure.
pub fn plan(view: &View) -> Plan {
    let mut releases: BTreeMap<AttachmentId, Release> = BTreeMap::new();
    let mut untouched = Vec::new();
    for (address, seen) in &view.addresses {
        match consider(view, *address, seen.clone()) {
            Err(why) => untouched.push((*address, why)),
            Ok((held, attached)) => {
                let attachment = held.holder.attachment.clone();
                let release = releases.entry(attachment.clone());
                let release = release.or_insert_with(|| Release {
                    attachment,
                    addresses: Vec::new(),
                    attached,
                });
                release.addresses.push(held);
            }
        }
    }
    Plan {
        releases: releases.into_values().collect(),
        untouched,
    }
}

type Considered = (Held, Option<(Revision, AttachmentRecord)>);

fn consider(
    view: &View,
    address: IpAddr,
    seen: Seen<AddressRecord>,
) -> Result<Considered, Untouched> {
    let (revision, record) = seen.ok_or(Untouched::NeverHeld)?;
    let record = record.map_err(Untouched::Unreadable)?;
    let Some(holder) = record.holder.clone() else {
        return Err(Untouched::Free {
            revision,
            record: Box::new(record),
        });
    };
    let attached = view.attachments.get(&holder.attachment).cloned().flatten();
    let attached = attached.map(|(revision, record)| record.map(|record| (revision, record)));
    let attached = attached.transpose().map_err(Untouched::Unreadable)?;
    Ok((
        Held {
            address,
            revision,
            holder,
            record,
        },
        attached,
    ))
}
