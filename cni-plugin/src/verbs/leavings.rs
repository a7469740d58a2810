//! What an attachment has on the node's side, beyond the link in the container's namespace.

use std::path::Path;

use berth_types::{AttachmentId, LocalAttachment, LocalPort, SchemaVersion};

use super::detach::Trace;
use crate::files::Intent;
use crate::host::{LinkKind, Netlink};
use crate::host_access;
use crate::ovs::{Pending, bridge, name_prefix};
use crate::spec::{CniError, Config, Driver, LinkConfig};
use crate::vlan::{Which, remove_unused};

/// How to know what there is to remove.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leavings<'a> {
    pub(super) config: &'a Config,
    /// How the network's interfaces are made now; absent for those of another configuration.
    pub(super) link: Option<&'a LinkConfig>,
}

impl Leavings<'_> {
    /// Removes it, once the container's link is gone. Nothing left is as good.
    ///
    /// `intent` is of an ADD that did not come to its end, `record` of a complete interface.
    ///
    /// # Errors
    /// Code 11: something may still be there. Code 5.
    pub(super) fn remove(
        &self,
        intent: Option<&Intent>,
        record: Option<&LocalAttachment>,
    ) -> Result<(), CniError> {
        let intended = intent.and_then(|intent| Some((&intent.attachment, intent.port.as_ref()?)));
        let recorded =
            record.and_then(|record| Some((&record.attachment, record.link.port.as_ref()?)));
        for (id, port) in [intended, recorded].into_iter().flatten() {
            remove_end(port)?;
            self.remove_ports(&port.socket, id)?;
        }
        remove_vlan(intent, record);
        let intended = intent.filter(|intent| intent.host_end.is_some());
        let recorded = record.filter(|record| record.link.host_end.is_some());
        let with_access = intended
            .map(|intent| &intent.attachment)
            .into_iter()
            .chain(recorded.map(|record| &record.attachment));
        for id in with_access {
            host_access::remove(id)?;
        }
        Ok(())
    }

    /// Removes it where the node has no file of the attachment: everything follows from its name.
    ///
    /// # Errors
    /// As [`Leavings::remove`].
    pub(super) fn remove_unrecorded(
        &self,
        id: &AttachmentId,
        trace: Trace,
    ) -> Result<(), CniError> {
        remove_vlan(None, None);
        if self.link.is_none_or(|link| link.host_access.is_some()) || host_access::stands(id)? {
            host_access::remove(id)?;
        }
        let Some(Driver::Ovs(ovs)) = self.link.map(|link| &link.driver) else {
            return Ok(());
        };
        let mut host = Netlink::open()?;
        let prefix = name_prefix(id);
        for link in host.links()? {
            if link.kind == LinkKind::Veth && link.name.starts_with(&prefix) {
                host.delete_link(link.index)?;
            }
        }
        match trace {
            Trace::Some => self.remove_ports(&ovs.socket, id),
            // Of what was never made nothing has to be remembered.
            Trace::None => {
                let removed = bridge::remove(&ovs.socket, id);
                tracing::debug!(?removed, "looked for ports");
                Ok(())
            }
        }
    }

    /// Removes the ports of an attachment. While the database does not do that, they wait on disk:
    /// without their links they connect nobody.
    fn remove_ports(&self, socket: &Path, id: &AttachmentId) -> Result<(), CniError> {
        let Err(error) = bridge::remove(socket, id) else {
            return Ok(());
        };
        tracing::debug!(%error, "ports wait");
        let pending = Pending {
            v: SchemaVersion,
            socket: socket.to_owned(),
            attachment: id.clone(),
        };
        pending.note(&self.config.state_dir)
    }
}

/// Removes the node's end of a veth, and the other with it.
fn remove_end(port: &LocalPort) -> Result<(), CniError> {
    let mut host = Netlink::open()?;
    let end = host.link_by_name(&port.name)?;
    match end.filter(|end| end.kind == LinkKind::Veth) {
        Some(end) => Ok(host.delete_link(end.index)?),
        None => Ok(()),
    }
}

/// Removes the VLAN sub-interface that the interface was the last one on. One that stays for an
/// error holds nothing up: the next call removes it.
fn remove_vlan(intent: Option<&Intent>, record: Option<&LocalAttachment>) {
    let removed = match (intent, record) {
        (None, Some(record)) if record.link.vlan.is_none() => Ok(()),
        (None, Some(record)) => remove_unused(Which::Named(&record.link.master)),
        _ => remove_unused(Which::Any),
    };
    if let Err(error) = removed {
        tracing::warn!(%error, "a VLAN sub-interface stays");
    }
}
