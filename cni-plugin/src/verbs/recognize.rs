//! Lives that no store knows of: their interfaces are known without any file.
//!
//! Half of such a life's incarnation follows from the attachment, and with it half of its link's
//! mark, and the hardware address that the link is made with.

use std::path::Path;

use berth_types::{AttachmentId, Incarnation, fnv1a};

use super::detach::{MARK, Trace, delete, first_mac, settle, still_there};
use crate::host::{Link, LinkKind, Netlink, Netns, NetnsError};
use crate::spec::CniError;

/// How many digits of an incarnation follow from the attachment.
const DIGITS: usize = 16;

/// The incarnation of a new life; the second half of `random` makes it one of its own.
pub(super) fn incarnation(id: &AttachmentId, random: [u8; 16]) -> Incarnation {
    let mut bytes = random;
    let known = fnv1a(id.to_string().as_bytes()).to_be_bytes();
    for (byte, known) in bytes.iter_mut().zip(known) {
        *byte = known;
    }
    Incarnation::from_random(bytes)
}

/// Removes the attachment's interface, whichever life made it, from the namespace at `path`. Gone
/// already is as good.
///
/// # Errors
/// Code 11: the interface may still be there.
pub(super) fn remove(id: &AttachmentId, path: Option<&Path>) -> Result<Trace, CniError> {
    let ifname = &id.ifname;
    let netns = match path.map(Netns::open) {
        Some(Ok(netns)) => netns,
        None | Some(Err(NetnsError::Absent(_) | NetnsError::NotOne(_) | NetnsError::Host(_))) => {
            return Ok(Trace::Some);
        }
        Some(Err(error)) => return Err(still_there(ifname, &error)),
    };
    let removed = netns.within(|| {
        let mut netlink = Netlink::open()?;
        let found = netlink.link_by_name(ifname)?;
        match found.and_then(|link| Some((life_of(&link, id)?, link))) {
            Some((life, link)) => delete(&mut netlink, Some(link), &life),
            None => Ok(()),
        }
    });
    settle(ifname, removed).map(|()| Trace::Some)
}

/// Which of the attachment's lives a link is of; `None` for somebody else's link.
fn life_of(link: &Link, id: &AttachmentId) -> Option<Incarnation> {
    let unmarked = incarnation(id, [0; 16]);
    if !matches!(link.kind, LinkKind::Macvlan | LinkKind::Veth) {
        return None;
    }
    let Some(mark) = link.alias.as_deref().and_then(|a| a.strip_prefix(MARK)) else {
        return (link.mac == Some(first_mac(&unmarked))).then_some(unmarked);
    };
    let life = u128::from_str_radix(mark, 16).ok()?;
    let life = Incarnation::from_random(life.to_be_bytes());
    (life.to_string().get(..DIGITS) == unmarked.to_string().get(..DIGITS)).then_some(life)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::detach::mark;

    fn link(alias: Option<String>, incarnation: &Incarnation) -> Link {
        Link {
            index: 2,
            name: "eth0".into(),
            mtu: 1500,
            mac: Some(first_mac(incarnation)),
            up: true,
            kind: LinkKind::Macvlan,
            alias,
        }
    }

    #[test]
    fn a_link_is_known_by_its_attachment_marked_or_not_and_in_every_life() {
        let [own, other] = ["n1/pods/a/eth0", "n1/pods/b/eth0"].map(|id| id.parse().unwrap());
        let lives = [3, 4].map(|n| incarnation(&own, [n; 16]));
        assert_ne!(lives[0], lives[1]);
        for life in &lives {
            let marked = link(Some(mark(life)), life);
            assert_eq!(life_of(&marked, &own).as_ref(), Some(life));
            assert_eq!(life_of(&marked, &other), None);
            let unmarked = link(None, life);
            assert!(life_of(&unmarked, &own).is_some());
            assert_eq!(life_of(&unmarked, &other), None);
        }
        // One that the store gave an address to, and one of another program's.
        let stored = Incarnation::from_random([9; 16]);
        assert_eq!(life_of(&link(Some(mark(&stored)), &stored), &own), None);
        let named = link(Some("uplink".into()), &stored);
        assert_eq!(life_of(&named, &own), None);
        let bridge = Link {
            kind: LinkKind::Other,
            ..link(Some(mark(&lives[0])), &lives[0])
        };
        assert_eq!(life_of(&bridge, &own), None);
    }
}
