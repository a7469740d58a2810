//! What follows from the link that the interface stands on.

use berth_types::{IfName, MacAddr};

use crate::host::Link;
use crate::spec::{CniError, Code, Driver};

/// The link that the driver stands on, as `look` finds it by its name: the bridge's, or the first
/// of the masters that exists, which must be up.
///
/// # Errors
/// Code 7 when there is none, 11 for a master that is down; what `look` fails with.
pub fn parent<E: Into<CniError>>(
    driver: &Driver,
    look: impl FnMut(&IfName) -> Result<Option<Link>, E>,
) -> Result<Link, CniError> {
    match driver {
        Driver::Macvlan(macvlan) => master(&macvlan.master, look),
        Driver::Ovs(ovs) => bridge(&ovs.bridge, look),
    }
}

/// The link that a bridge of Open vSwitch has under its name on the node; up or down, it switches.
fn bridge<E: Into<CniError>>(
    name: &IfName,
    mut look: impl FnMut(&IfName) -> Result<Option<Link>, E>,
) -> Result<Link, CniError> {
    let missing = || {
        let remedy = "name a bridge that `ovs-vsctl list-br` lists on this node";
        CniError::field("bridge", name, remedy)
    };
    look(name).map_err(Into::into)?.ok_or_else(missing)
}

fn master<E: Into<CniError>>(
    names: &[IfName],
    mut look: impl FnMut(&IfName) -> Result<Option<Link>, E>,
) -> Result<Link, CniError> {
    for name in names {
        match look(name).map_err(Into::into)? {
            Some(link) if link.up => return Ok(link),
            Some(link) => {
                let message = format!("master: {:?} is down", link.name);
                return Err(CniError::new(Code::TryAgain, message)
                    .details(format!("bring it up: ip link set {} up", link.name)));
            }
            None => {}
        }
    }
    let names: Vec<_> = names
        .iter()
        .map(|name| format!("{:?}", name.as_str()))
        .collect();
    let remedy = "name an interface of this node; `ip link` shows them";
    Err(CniError::field("master", names.join(", "), remedy).details("it does not exist here"))
}

/// The MTU of the interface: the one asked for if the parent can carry it, else the parent's.
///
/// # Errors
/// Code 7 when the parent's is smaller.
pub fn mtu(asked: Option<u32>, parent: &Link) -> Result<u32, CniError> {
    match asked {
        Some(mtu) if mtu > parent.mtu => {
            let Link {
                name, mtu: limit, ..
            } = parent;
            let remedy = format!("use at most {limit}, the MTU of {name}, or raise that first");
            Err(CniError::field("mtu", mtu, &remedy))
        }
        Some(mtu) => Ok(mtu),
        None => Ok(parent.mtu),
    }
}

/// The hardware address the interface ends up with, before its address is known.
///
/// A passthru child has its parent's; changing it would change the parent's.
///
/// # Errors
/// Code 7 when another was asked for in that mode.
pub fn mac(
    driver: &Driver,
    asked: Option<MacAddr>,
    parent: &Link,
) -> Result<Option<MacAddr>, CniError> {
    match (driver.keeps_parents_mac(), asked) {
        (true, Some(mac)) if Some(mac) != parent.mac => {
            let remedy = "leave it out: in mode passthru the interface has its master's";
            Err(CniError::field("mac", mac, remedy))
        }
        (true, _) => Ok(parent.mac),
        (false, Some(mac)) if Some(mac) == parent.mac => {
            let remedy = format!("it is the one of {}: ask for another", parent.name);
            Err(CniError::field("mac", mac, &remedy))
        }
        (false, asked) => Ok(asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::LinkKind;
    use crate::spec::{MacvlanConfig, Mode};

    fn driver(mode: Mode) -> Driver {
        let master = vec!["uplink0".parse().unwrap()];
        Driver::Macvlan(MacvlanConfig { master, mode })
    }

    fn parent() -> Link {
        let mac = "02:00:00:00:00:01".parse().ok();
        Link {
            index: 2,
            name: "uplink0".into(),
            mtu: 1500,
            mac,
            up: true,
            kind: LinkKind::Other,
            alias: None,
        }
    }

    #[test]
    fn case_51_an_mtu_above_the_masters_is_refused() {
        assert_eq!(mtu(None, &parent()), Ok(1500));
        assert_eq!(mtu(Some(1400), &parent()), Ok(1400));
        let error = mtu(Some(9000), &parent()).unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig);
        assert!(error.to_string().contains("9000") && error.to_string().contains("uplink0"));
    }

    #[test]
    fn a_passthru_child_keeps_its_masters_hardware_address() {
        let other = "02:00:00:00:00:09".parse().ok();
        assert_eq!(
            mac(&driver(Mode::Passthru), None, &parent()),
            Ok(parent().mac)
        );
        assert!(mac(&driver(Mode::Passthru), other, &parent()).is_err());
        assert_eq!(mac(&driver(Mode::Bridge), None, &parent()), Ok(None));
        assert_eq!(mac(&driver(Mode::Bridge), other, &parent()), Ok(other));
        assert!(
            mac(&driver(Mode::Bridge), parent().mac, &parent()).is_err(),
            "case 52: used on the node"
        );
    }
}
