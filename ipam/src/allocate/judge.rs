//! Who has a right to an address that is asked for by name. Pure.

use berth_types::{AddressRecord, Holder, NodeName, ReservationId};

use crate::Request;

/// What stands between a request and an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// Nothing.
    Free,
    /// It was taken from a holder that was not heard: to be looked for on the wire first.
    Doubtful,
    /// An earlier sandbox of the same pod, on this node: it can be ended.
    EarlierSandbox(Box<Holder>),
    /// It is this pod's, but somebody holds it of whom only its own node, or an operator, can say
    /// that it is gone.
    NotProvenGone(Box<Holder>),
    /// Another holds it by right.
    Held(Box<Holder>),
    /// It is kept for another.
    Reserved(ReservationId),
}

/// Judges the record of an address that `request`, on `node`, asks for.
///
/// `right` is the reservation in whose name it does. A pod without a uid never takes over from a
/// sandbox, for nothing says that it is the same pod; and no interface ever does from another
/// interface of its pod.
pub(super) fn judge(
    record: &AddressRecord,
    request: &Request,
    node: &NodeName,
    right: Option<&ReservationId>,
) -> Judged {
    let sticky = request.sticky_id();
    let is_right = |id: &ReservationId| Some(id) == right || Some(id) == sticky.as_ref();
    let reserved_for = record.reserved_for.as_ref();
    if let Some(id) = reserved_for.filter(|id| !is_right(id)) {
        return Judged::Reserved(id.clone());
    }
    let Some(holder) = &record.holder else {
        return if record.unproven {
            Judged::Doubtful
        } else {
            Judged::Free
        };
    };
    let holder = Box::new(holder.clone());
    if is_same_pod(request, &holder) && holder.attachment.node == *node {
        return Judged::EarlierSandbox(holder);
    }
    let of_this_pod = matches!(reserved_for, Some(ReservationId::Pod { .. }));
    if of_this_pod || has_same_name(request, &holder) {
        return Judged::NotProvenGone(holder);
    }
    Judged::Held(holder)
}

/// Whether the holder is the same interface of the very same pod.
fn is_same_pod(request: &Request, holder: &Holder) -> bool {
    let uid = |pod: &Option<berth_types::PodRef>| {
        let uid = pod.as_ref().map(|pod| pod.uid.clone());
        uid.filter(|uid| !uid.is_empty())
    };
    let ours = uid(&request.pod);
    ours.is_some()
        && ours == uid(&holder.pod)
        && holder.attachment.ifname == request.attachment.ifname
}

/// Whether the holder is the same interface of a pod of the same name.
fn has_same_name(request: &Request, holder: &Holder) -> bool {
    let same = |ours: &berth_types::PodRef, theirs: &berth_types::PodRef| {
        !ours.name.is_empty() && ours.namespace == theirs.namespace && ours.name == theirs.name
    };
    let pods = request.pod.as_ref().zip(holder.pod.as_ref());
    pods.is_some_and(|(ours, theirs)| same(ours, theirs))
        && holder.attachment.ifname == request.attachment.ifname
}
