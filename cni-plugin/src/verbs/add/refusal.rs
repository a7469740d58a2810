//! The kernel's refusals in the words of the configuration.

use berth_types::MacAddr;
use nix::errno::Errno;

use super::Work;
use crate::host::{Link, NetlinkError, Veth};
use crate::plan::NewLink;
use crate::spec::{CniError, Code};

impl Work<'_> {
    /// The hardware address that follows from the IP address is another interface's already.
    pub(super) fn mac_conflict(&self, mac: MacAddr) -> CniError {
        let parent = &self.parent.name;
        let message = format!("hardware address {mac}: another interface on {parent} bears it");
        CniError::new(Code::AddressConflict, message).details(format!(
            "find it in the node's containers: ip -d link | grep -B1 {mac}"
        ))
    }

    /// The kernel's refusal in the words of the configuration.
    pub(super) fn explain(&self, error: &NetlinkError) -> CniError {
        let Link { name: parent, .. } = &self.parent;
        let message = error.to_string();
        match error.errno() {
            Some(Errno::EEXIST) => {
                let ifname = &self.id.ifname;
                CniError::new(Code::InvalidEnvironment, format!("CNI_IFNAME: {ifname} exists already in the container"))
                    .details("use another interface name, or remove that link")
            }
            Some(Errno::EADDRINUSE) => match self.mac {
                Some(mac) => CniError::field("mac", mac, "another interface of this node has it: ask for another"),
                None => CniError::new(Code::AddressConflict, message).details(format!(
                    "another interface on {parent} bears the hardware address that follows from the IP address"
                )),
            },
            Some(Errno::EINVAL | Errno::EBUSY) => CniError::new(Code::InvalidConfig, message)
                .details(unsuited(&self.fresh, parent)),
            Some(Errno::ENETDOWN) => CniError::new(Code::TryAgain, message)
                .details(format!("bring {parent} up: ip link set {parent} up")),
            Some(Errno::EPERM) => CniError::new(Code::Internal, message).details("run the plugin as root"),
            _ => CniError::new(Code::Internal, message),
        }
    }
}

/// What to look at when the kernel refuses `link` itself; `parent` is its master or its bridge.
fn unsuited(link: &NewLink, parent: &str) -> String {
    match link {
        NewLink::Macvlan(_) => {
            format!("{parent} cannot be the master of such a macvlan; is it in use otherwise?")
        }
        NewLink::Veth(Veth { host, mtu, .. }) => format!(
            "the pair behind port {host} of {parent} cannot be such: check \"mtu\" ({mtu}), and who else changes links here"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_types::IfName;

    use crate::host::Macvlan;
    use crate::spec::Mode;

    fn name(raw: &str) -> IfName {
        raw.parse().expect("a name")
    }

    #[test]
    fn the_remedy_speaks_of_the_link_that_was_refused() {
        let macvlan = NewLink::Macvlan(Macvlan {
            name: name("eth0"),
            parent: 2,
            mode: Mode::Bridge,
            mtu: 1500,
            mac: None,
        });
        let remedy = unsuited(&macvlan, "bond0");
        assert!(remedy.contains("bond0 cannot be the master"), "{remedy}");
        let veth = NewLink::Veth(Veth {
            host: name("bv0a1b2c"),
            name: name("eth0"),
            mtu: 9000,
            mac: None,
            host_mac: MacAddr::of_address([0, 0, 0, 0].into()),
        });
        let remedy = unsuited(&veth, "br-pods");
        let named = ["bv0a1b2c", "br-pods", "9000"];
        assert!(named.iter().all(|word| remedy.contains(word)), "{remedy}");
        assert!(!remedy.contains("macvlan"), "{remedy}");
    }
}
