//! Filters of a clsact qdisc: for kernels without TCX. They last as long as the qdisc does.

use std::io;

use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle};
use aya::programs::{ProgramError, TcAttachType, tc};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle as Handle, TcMessage};
use nix::libc;

use super::bpf::Hook;
use super::device::Device;
use super::fault::checkpoint;
use super::hooks::{AttachError, Target};
use super::load::{Programs, Way};
use super::netlink;
use super::tcx::{failed, hook};
use crate::model::Mode;

/// The priority of our filters: before all others.
const PRIORITY: u16 = 1;
/// Their handle, by which they are known.
const HANDLE: u16 = 0xbe27;
/// `TC_H_CLSACT`.
const QDISC: u32 = 0xffff_0000;

/// Adds the qdisc when there is none, and the filters, or puts the programs in the place of those
/// that are there. A direction without a qdisc for it stays the device's. Runs in the device's
/// namespace.
pub(super) fn attach(
    target: &Target,
    device: &Device,
    programs: &mut Programs,
) -> Result<[Mode; 2], AttachError> {
    let qdisc = if let Some(qdisc) = qdisc(device).map_err(failed("list the qdiscs"))? {
        qdisc
    } else {
        checkpoint("add-qdisc");
        // Somebody may be quicker.
        drop(tc::qdisc_add_clsact(&device.name));
        qdisc_after_adding(device)?
    };
    let mut modes = [Mode::Device; 2];
    for (mode, way) in modes.iter_mut().zip(Way::BOTH) {
        let hook = hook(&target.place, way);
        // The ingress qdisc of the plugin `bandwidth` takes a filter for what leaves without a word,
        // and runs it on what arrives.
        if qdisc != "clsact" && (qdisc != "ingress" || hook == Hook::Egress) {
            continue;
        }
        checkpoint("filter");
        put(device, hook, programs, way)?;
        *mode = Mode::Clsact;
    }
    Ok(modes)
}

/// Whether our filters are there, at ingress and egress. Runs in the device's namespace.
pub(super) fn present(device: &Device) -> io::Result<[bool; 2]> {
    Ok([
        filter(device, Hook::Ingress)?,
        filter(device, Hook::Egress)?,
    ])
}

/// Removes our filters. The qdisc stays: it may have become somebody else's too. Runs in the
/// device's namespace.
pub(super) fn detach(device: &Device, _target: &Target) -> Result<(), AttachError> {
    if qdisc(device).map_err(failed("list the qdiscs"))?.is_none() {
        return Ok(());
    }
    for hook in [Hook::Ingress, Hook::Egress] {
        if filter(device, hook).map_err(failed("list the filters"))? {
            checkpoint("remove-filter");
            let message = RouteNetlinkMessage::DelTrafficFilter(message(device, hook));
            netlink::ask(message, NLM_F_ACK).map_err(failed("remove a filter"))?;
        }
    }
    Ok(())
}

fn put(device: &Device, hook: Hook, programs: &mut Programs, way: Way) -> Result<(), AttachError> {
    let kind = match hook {
        Hook::Ingress => TcAttachType::Ingress,
        Hook::Egress => TcAttachType::Egress,
    };
    let handle = TcHandle::new(0, HANDLE);
    let there = filter(device, hook).map_err(failed("list the filters"))?;
    let program = programs.classifier(way)?;
    let refused = |error: ProgramError| AttachError::Io {
        what: "put a filter",
        source: io::Error::other(error),
    };
    let link = if there {
        let known = SchedClassifierLink::attached(&device.name, kind, PRIORITY, handle, None);
        program.attach_to_link(known.map_err(failed("find a filter"))?)
    } else {
        let options = TcAttachOptions::Netlink(NlOptions {
            priority: PRIORITY,
            handle,
            classid: None,
        });
        program.attach_with_options(&device.name, kind, options)
    };
    let link = program.take_link(link.map_err(refused)?).map_err(refused)?;
    // It would be detached at its end.
    std::mem::forget(link);
    Ok(())
}

fn qdisc_after_adding(device: &Device) -> Result<String, AttachError> {
    let found = qdisc(device).map_err(failed("list the qdiscs"))?;
    found.ok_or_else(|| AttachError::Io {
        what: "add a clsact qdisc",
        source: io::Error::from_raw_os_error(libc::EOPNOTSUPP),
    })
}

/// The kind of the qdisc that filters are put at: `clsact`, `ingress`, or none.
fn qdisc(device: &Device) -> io::Result<Option<String>> {
    let mut ask = TcMessage::default();
    ask.header.index = index(device);
    let answers = netlink::ask(RouteNetlinkMessage::GetQueueDiscipline(ask), NLM_F_DUMP)?;
    Ok(answers.into_iter().find_map(|answer| {
        let RouteNetlinkMessage::NewQueueDiscipline(found) = answer else {
            return None;
        };
        let here = found.header.index == index(device) && u32::from(found.header.handle) == QDISC;
        here.then(|| kind(&found)).flatten()
    }))
}

fn filter(device: &Device, hook: Hook) -> io::Result<bool> {
    let mut ask = TcMessage::default();
    ask.header.index = index(device);
    ask.header.parent = parent(hook);
    let listed = netlink::ask(RouteNetlinkMessage::GetTrafficFilter(ask), NLM_F_DUMP);
    let answers = match listed {
        Ok(answers) => answers,
        // No qdisc, or one without such filters.
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::EINVAL | libc::ENOENT | libc::EOPNOTSUPP)
            ) =>
        {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    Ok(answers.into_iter().any(|answer| {
        let RouteNetlinkMessage::NewTrafficFilter(found) = answer else {
            return false;
        };
        found.header.index == index(device)
            && u32::from(found.header.parent) == u32::from(parent(hook))
            && u32::from(found.header.handle) == u32::from(HANDLE)
            && found.header.info >> 16 == u32::from(PRIORITY)
            && kind(&found).as_deref() == Some("bpf")
    }))
}

fn message(device: &Device, hook: Hook) -> TcMessage {
    let every_protocol = u16::to_be(3);
    let mut message = TcMessage::default();
    message.header.index = index(device);
    message.header.parent = parent(hook);
    message.header.handle = Handle::from(u32::from(HANDLE));
    message.header.info = (u32::from(PRIORITY) << 16) | u32::from(every_protocol);
    message.attributes.push(TcAttribute::Kind("bpf".into()));
    message
}

fn parent(hook: Hook) -> Handle {
    Handle::from(match hook {
        Hook::Ingress => QDISC | 0xfff2,
        Hook::Egress => QDISC | 0xfff3,
    })
}

fn index(device: &Device) -> i32 {
    i32::try_from(device.ifindex).unwrap_or_default()
}

fn kind(message: &TcMessage) -> Option<String> {
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            TcAttribute::Kind(kind) => Some(kind.clone()),
            _ => None,
        })
}
