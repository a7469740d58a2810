//! What there is to do before an interface can stand on a VLAN sub-interface. Pure.

use berth_types::{IfName, VlanId, fnv1a};

use super::{FRESH, is_ours};
use crate::host::{Link, LinkKind};
use crate::spec::{CniError, Code};

/// The next change to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// None: this one is fit.
    Use(Link),
    /// This one is ours, and has to be marked, brought up, or given an MTU in bytes.
    Settle(Link, u32),
    /// There is none.
    Make,
}

/// Decides by the VLAN sub-interfaces that were seen on the node.
///
/// `mtu` is what the interface is to have, in bytes, where that was asked for: one of ours is given
/// as much, as long as `parent` carries it. An operator's is never changed.
///
/// # Errors
/// Code 11 when an operator's is down.
pub fn choose(
    seen: &[Link],
    parent: &Link,
    vlan: VlanId,
    mtu: Option<u32>,
) -> Result<Next, CniError> {
    let Some(found) = seen.iter().find(|link| is_of(link, parent, vlan)) else {
        return Ok(Next::Make);
    };
    if !is_ours(found) {
        return usable(found).map(|()| Next::Use(found.clone()));
    }
    let wanted = mtu.filter(|mtu| (found.mtu..=parent.mtu).contains(mtu));
    let wanted = wanted.unwrap_or(found.mtu);
    let unmarked = matches!(found.kind, LinkKind::Vlan(tag) if tag.group == FRESH);
    Ok(if found.up && !unmarked && wanted == found.mtu {
        Next::Use(found.clone())
    } else {
        Next::Settle(found.clone(), wanted)
    })
}

fn is_of(link: &Link, parent: &Link, vlan: VlanId) -> bool {
    matches!(link.kind, LinkKind::Vlan(tag) if tag.parent == parent.index && tag.id == vlan)
}

fn usable(link: &Link) -> Result<(), CniError> {
    if link.up {
        return Ok(());
    }
    let name = &link.name;
    let message = format!("master: VLAN sub-interface {name:?} is down");
    Err(CniError::new(Code::TryAgain, message)
        .details(format!("bring it up: ip link set {name} up")))
}

/// The names that the sub-interface may get, the better one first: `<parent>.<vlan>` where that is
/// short enough and free, else one with a hash of the parent's name.
pub fn names(parent: &Link, vlan: VlanId) -> Vec<IfName> {
    let name = &parent.name;
    let mut begin = String::new();
    // Four bytes, six digits of the hash, a dot and the VLAN's four digits are fifteen.
    begin.extend(name.chars().take_while({
        let mut bytes = 0;
        move |c| {
            bytes += c.len_utf8();
            bytes <= 4
        }
    }));
    let hash = fnv1a(name.as_bytes()) & 0x00ff_ffff;
    let names = [
        format!("{name}.{vlan}"),
        format!("{begin}{hash:06x}.{vlan}"),
    ];
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::VlanTag;

    fn link(index: u32, name: &str, kind: LinkKind) -> Link {
        Link {
            index,
            name: name.into(),
            mtu: 1500,
            mac: None,
            up: true,
            kind,
            alias: None,
        }
    }

    fn parent() -> Link {
        link(2, "bond1", LinkKind::Other)
    }

    fn vlan(id: u16) -> VlanId {
        id.try_into().unwrap()
    }

    fn on(parent: u32, id: u16, name: &str) -> Link {
        let tag = VlanTag {
            id: vlan(id),
            parent,
            group: 0,
        };
        link(9, name, LinkKind::Vlan(tag))
    }

    fn ours() -> Link {
        let alias = Some(super::super::MARK.to_owned());
        Link {
            alias,
            ..on(2, 120, "bond1.120")
        }
    }

    fn chosen(seen: &[Link], mtu: Option<u32>) -> Next {
        choose(seen, &parent(), vlan(120), mtu).unwrap()
    }

    #[test]
    fn a_sub_interface_is_known_by_parent_and_vlan_and_not_by_its_name() {
        let others = [on(2, 121, "bond1.120"), on(3, 120, "bond2.120"), parent()];
        assert_eq!(chosen(&others, None), Next::Make);
        let operators = on(2, 120, "storage");
        let seen = [others.as_slice(), std::slice::from_ref(&operators)].concat();
        assert_eq!(chosen(&seen, None), Next::Use(operators));
    }

    #[test]
    fn an_operators_sub_interface_is_never_changed() {
        let low = Link {
            mtu: 1400,
            ..on(2, 120, "storage")
        };
        assert_eq!(
            chosen(std::slice::from_ref(&low), Some(1500)),
            Next::Use(low)
        );
        let down = Link {
            up: false,
            ..on(2, 120, "storage")
        };
        let error = choose(&[down], &parent(), vlan(120), None).unwrap_err();
        assert_eq!(error.code(), Code::TryAgain);
        assert!(error.to_string().contains("storage"));
    }

    #[test]
    fn one_of_ours_that_was_left_half_made_is_finished() {
        assert_eq!(chosen(&[ours()], None), Next::Use(ours()));
        let down = Link {
            up: false,
            ..ours()
        };
        assert_eq!(
            chosen(std::slice::from_ref(&down), None),
            Next::Settle(down, 1500)
        );
        let tag = VlanTag {
            id: vlan(120),
            parent: 2,
            group: FRESH,
        };
        let unmarked = link(9, "bond1.120", LinkKind::Vlan(tag));
        let seen = std::slice::from_ref(&unmarked);
        assert_eq!(chosen(seen, None), Next::Settle(unmarked.clone(), 1500));
    }

    #[test]
    fn one_of_ours_is_given_the_mtu_asked_for_as_far_as_its_parent_carries_it() {
        let low = Link {
            mtu: 1400,
            ..ours()
        };
        let seen = std::slice::from_ref(&low);
        assert_eq!(chosen(seen, None), Next::Use(low.clone()));
        assert_eq!(chosen(seen, Some(1300)), Next::Use(low.clone()));
        assert_eq!(chosen(seen, Some(1450)), Next::Settle(low.clone(), 1450));
        assert_eq!(chosen(seen, Some(9000)), Next::Use(low.clone()));
    }

    #[test]
    fn a_name_is_the_parents_with_the_vlan_or_has_a_hash_where_that_is_too_long() {
        let named = |parent: &str, id| {
            let names = names(&link(2, parent, LinkKind::Other), vlan(id));
            names.iter().map(IfName::to_string).collect::<Vec<_>>()
        };
        assert_eq!(named("bond1", 120)[0], "bond1.120");
        assert_eq!(named("enp129s0f1", 4094)[0], "enp129s0f1.4094");
        let (long, other) = (named("enp129s0f1np1", 120), named("enp129s0f1np0", 120));
        assert_eq!((long.len(), other.len()), (1, 1));
        assert_ne!(long, other);
        assert!(long[0].len() <= 15 && long[0].ends_with(".120"), "{long:?}");
        assert!(
            named("\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}", 4094)
                .iter()
                .all(|name| name.len() <= 15)
        );
    }
}
