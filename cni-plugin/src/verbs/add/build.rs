//! The claim and the link, made at the same time, and the link's shape.

use std::net::IpAddr;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use berth_ipam::Request;
use berth_types::MacAddr;
use ipnetwork::IpNetwork;

use super::Work;
use super::neighbours::compare_with_node;
use super::placed::Placed;
use super::steps::Site;
use crate::files::Locked;
use crate::host::{Link, Netlink, NetlinkError, NetnsError};
use crate::ovs::Asked;
use crate::plan::{Granted, NewLink, Outline, Shape, Step};
use crate::spec::{CniError, Code, RouteEntry};
use crate::verbs::claim::Unclaimed;
use crate::verbs::given::Given;
use crate::verbs::source::Source;
use crate::verbs::takeover::Sandboxes;

/// An interface that did not come to be; `linked` when its link was made.
pub(super) struct Unbuilt {
    pub(super) error: CniError,
    pub(super) linked: bool,
    /// Its addresses that somebody else has on the wire.
    pub(super) answered: Vec<IpAddr>,
}

/// A step that failed.
pub(super) struct Fault {
    pub(super) error: CniError,
    /// The addresses that somebody else has on the wire.
    pub(super) answered: Vec<IpAddr>,
}

impl Fault {
    /// Whoever bears the hardware address that follows from an address of the lease has that too, as
    /// far as is known.
    fn of(mut self, shape: &Shape, given: &Given) -> Self {
        if self.error.code() == Code::AddressConflict && self.answered.is_empty() {
            let addresses = shape.addresses.iter().map(|(address, _)| *address);
            let derived = addresses.filter(|a| MacAddr::of_address(*a) == given.mac());
            self.answered = derived.collect();
        }
        self
    }
}

impl From<CniError> for Fault {
    fn from(error: CniError) -> Self {
        let answered = Vec::new();
        Self { error, answered }
    }
}

impl From<NetlinkError> for Fault {
    fn from(error: NetlinkError) -> Self {
        CniError::from(error).into()
    }
}

/// What was made before the address is known.
struct Begun {
    placed: Option<Placed>,
    /// Asked for, and not known to be there.
    port: Option<Asked>,
}

/// An interface as it stands.
pub(super) struct Built {
    pub(super) link: Link,
    /// The node's interface it stands on.
    pub(super) parent: Link,
    /// The ends on the node, of pairs.
    pub(super) host: Vec<Link>,
    /// The routes that were set; others were there already.
    pub(super) routes: Vec<RouteEntry>,
}

impl Work<'_> {
    /// Claims an address while the link is made, then shapes the link for it.
    pub(super) fn claim_and_build(
        &self,
        host: &mut Netlink,
        locked: &Locked,
    ) -> (
        Option<Source<'_>>,
        Result<Given, Unclaimed>,
        Result<Built, Unbuilt>,
    ) {
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let inside = self.netns.start_outside(
                scope,
                move || (self.begin(host), host),
                move |(begun, host)| self.build(host, begun?, &told),
            );
            let (source, claimed) = match Source::open(self.call, self.config) {
                Ok(source) => {
                    let claimed = self.claim(&source, locked);
                    (Some(source), claimed)
                }
                Err(error) => (None, Err(Unclaimed::unsent(error))),
            };
            if let Ok(given) = &claimed {
                // A builder that has failed no longer listens.
                drop(tell.send(given.clone()));
            }
            drop(tell);
            let built = inside.and_then(|inside| self.netns.end(inside));
            let built = built.unwrap_or_else(|error| {
                Err(Unbuilt {
                    // Nothing was made in what could not be entered.
                    linked: !matches!(error, NetnsError::NotOne(_)),
                    error: error.into(),
                    answered: Vec::new(),
                })
            });
            (source, claimed, built)
        })
    }

    fn claim(&self, source: &Source<'_>, locked: &Locked) -> Result<Given, Unclaimed> {
        let sandboxes = Sandboxes {
            files: &self.files,
            own: &self.id,
            leavings: self.leavings(),
            conflict_check: self.link.conflict_check,
        };
        source.claim(&self.request(), &sandboxes, locked)
    }

    /// What is asked of IPAM.
    pub(super) fn request(&self) -> Request {
        let (id, netns) = (self.id.clone(), self.netns.at().clone());
        let wish = &self.wanted.wish;
        wish.request(id, self.incarnation.clone(), netns, self.mac)
    }

    /// What can be made before the address is known; on the node, where this runs.
    fn begin(&self, host: &mut Netlink) -> Result<Begun, Unbuilt> {
        let unbuilt = |linked| {
            move |error| Unbuilt {
                error,
                linked,
                answered: Vec::new(),
            }
        };
        Ok(Begun {
            placed: self.place_early(host).map_err(unbuilt(false))?,
            port: self.ask_port_early().map_err(unbuilt(true))?,
        })
    }

    /// Shapes the link once the address is known, in the container's namespace, where this runs.
    /// `host` asks on the node, wherever it is used.
    fn build(
        &self,
        host: &mut Netlink,
        begun: Begun,
        given: &Receiver<Given>,
    ) -> Result<Built, Unbuilt> {
        let Begun { placed, mut port } = begun;
        self.shaped(host, placed, &mut port, given)
            .map_err(|Fault { error, answered }| {
                // Whoever removes it has to find it.
                drop(port.as_mut().map(Asked::wait_made));
                Unbuilt {
                    error,
                    linked: true,
                    answered,
                }
            })
    }

    fn shaped(
        &self,
        host: &mut Netlink,
        placed: Option<Placed>,
        port: &mut Option<Asked>,
        given: &Receiver<Given>,
    ) -> Result<Built, Fault> {
        let netlink = &mut Netlink::open()?;
        let unclaimed = |_| CniError::new(Code::Internal, "no address was claimed");
        let given = given.recv().map_err(unclaimed)?;
        let shape = self.shape(&given)?;
        let steps = shape.steps()?;
        compare_with_node(host, &shape)?;
        let placed = self.place_for(host, &given, placed)?;
        let gone = || CniError::new(Code::Internal, "the new link has vanished");
        let fresh = netlink.link_by_name(&self.id.ifname)?.ok_or_else(gone)?;
        let mut site = Site {
            netlink,
            index: fresh.index,
            port,
        };
        let mut routes = Vec::new();
        for step in &steps {
            let taken = self.take(&mut site, step);
            routes.extend(taken.map_err(|fault| fault.of(&shape, &given))?);
        }
        let Site { netlink, .. } = site;
        let link = netlink.link_by_index(fresh.index)?.ok_or_else(gone)?;
        let addresses = netlink.addresses(link.index)?;
        verify(&steps, &link, &addresses)?;
        Ok(Built {
            link,
            parent: placed.parent,
            host: self.host_ends(host)?,
            routes,
        })
    }

    /// The ends on the node: of the interface itself, and of the pair to the node.
    fn host_ends(&self, host: &mut Netlink) -> Result<Vec<Link>, NetlinkError> {
        let own = match &self.fresh {
            NewLink::Macvlan(_) => None,
            NewLink::Veth(veth) => Some(veth.host.clone()),
        };
        let mut ends = Vec::new();
        for name in own.into_iter().chain(self.host_end()) {
            ends.extend(host.link_by_name(&name)?);
        }
        Ok(ends)
    }

    /// What the interface is to be.
    fn shape(&self, given: &Given) -> Result<Shape, CniError> {
        let outline = Outline {
            id: &self.id,
            node: &self.node,
            link: self.link,
            limits: self.wanted.limits,
            incarnation: &self.incarnation,
            made: &self.fresh,
            port: self.port.as_ref(),
        };
        let granted = Granted {
            addresses: given.addresses()?,
            routes: given.routes(),
            doubtful: given.doubtful(),
            mac: given.mac(),
        };
        outline.shape(&granted)
    }
}

/// Looks whether the interface is what the steps should have made of it.
fn verify(steps: &[Step], link: &Link, addresses: &[IpNetwork]) -> Result<(), CniError> {
    let missing = |what: String| {
        Err(CniError::new(
            Code::Internal,
            format!("interface {} has no {what}", link.name),
        )
        .details("something else on this node changes the container's links"))
    };
    for step in steps {
        match step {
            Step::Prepare { mac: Some(mac), .. } if link.mac != Some(*mac) => {
                return missing(format!("hardware address {mac}"));
            }
            Step::Address(address) if !addresses.contains(address) => {
                return missing(format!("address {address}"));
            }
            Step::Up if !link.up => return missing("carrier: it is down".into()),
            _ => {}
        }
    }
    Ok(())
}
