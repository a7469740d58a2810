//! ADD: intent, claim and link at once, the interface's shape, proof, record, result.

use std::fs;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use berth_ipam::fault::checkpoint;
use berth_ipam::{IpamError, Known, Lease, Request};
use berth_store::StoreError;
use berth_types::{
    AttachmentId, Incarnation, LocalAddress, LocalAttachment, LocalLink, MacAddr, SchemaVersion,
};
use ipnetwork::IpNetwork;
use jiff::Timestamp;
use nix::errno::Errno;

use super::allocator::{Allocator, random};
use super::detach;
use super::status::find_master;
use crate::files::{Intent, Locked, RunFiles};
use crate::host::{Announce, Link, Macvlan, Netlink, NetlinkError, Netns, NetnsError};
use crate::plan::{self, Shape, Step};
use crate::spec::{CniError, CniResult, Code, Config, Interface, Invocation, Ip, Mode};
use crate::wanted::{Wanted, attachment};

/// Everything an ADD knows before it changes anything.
struct Work<'a> {
    config: &'a Config,
    wanted: Wanted,
    id: AttachmentId,
    incarnation: Incarnation,
    netns: Netns,
    parent: Link,
    macvlan: Macvlan,
    /// The hardware address the interface is to have, when that is known before its address.
    mac: Option<MacAddr>,
}

/// What was made so far, and is to be undone on failure, newest first.
#[derive(Clone, Copy, Debug, Default)]
struct Made {
    claimed: bool,
    linked: bool,
}

/// An interface that did not come to be; `linked` when its link was made.
struct Unbuilt {
    error: CniError,
    linked: bool,
}

/// A claim that failed; `clean` when the store certainly holds nothing of it.
struct Unclaimed {
    error: CniError,
    clean: bool,
}

/// Connects the container, all of it or nothing.
///
/// # Errors
/// What went wrong, with what to do; the details say what could not be undone.
pub fn add(call: &Invocation, config: &Config) -> Result<String, CniError> {
    let files = RunFiles::new(&config.run_dir);
    let mut host = Netlink::open()?;
    let work = prepare(call, config, &mut host)?;
    let mut locked = files.lock(&work.id)?;
    if let Some(result) = end_earlier_life(&mut locked, &work)? {
        locked.finish()?;
        return Ok(result.to_json(config.version));
    }
    locked.write_intent(&work.intent())?;
    checkpoint("add.intent");
    let (allocator, claimed, built) = work.claim_and_build(&mut host);
    let made = Made {
        claimed: !matches!(claimed, Err(Unclaimed { clean: true, .. })),
        linked: !matches!(built, Err(Unbuilt { linked: false, .. })),
    };
    let connected = match (claimed, built) {
        (Err(unclaimed), _) => Err(unclaimed.error),
        (Ok(_), Err(unbuilt)) => Err(unbuilt.error),
        (Ok(lease), Ok(link)) => work.record(&locked, &lease, &link),
    };
    match connected {
        Ok(result) => {
            checkpoint("add.recorded");
            locked.finish()?;
            files.note_store_back()?;
            if let Some(allocator) = allocator {
                allocator.drain();
            }
            Ok(result.to_json(config.version))
        }
        Err(error) => {
            if error.code() == Code::TryAgain {
                // STATUS wants to know since when; that it cannot be noted changes nothing here.
                drop(files.note_store_away());
            }
            Err(work.undo(made, allocator.as_ref(), locked, error))
        }
    }
}

fn prepare<'a>(
    call: &Invocation,
    config: &'a Config,
    host: &mut Netlink,
) -> Result<Work<'a>, CniError> {
    let wanted = Wanted::new(call, config)?;
    let id = attachment(call, config)?;
    let path = call
        .netns()
        .ok_or_else(|| CniError::new(Code::InvalidEnvironment, "ADD needs CNI_NETNS"))?;
    let netns = Netns::open(path)?;
    let parent = find_master(host, config)?;
    let incarnation = Incarnation::from_random(random()?);
    let mac = plan::mac(config.mode, wanted.mac, &parent)?;
    let first_mac = match config.mode {
        Mode::Passthru => None,
        Mode::Bridge | Mode::Private | Mode::Vepa => Some(detach::first_mac(&incarnation)),
    };
    let macvlan = Macvlan {
        name: id.ifname.clone(),
        parent: parent.index,
        mode: config.mode,
        mtu: plan::mtu(config.mtu, &parent)?,
        mac: first_mac,
    };
    Ok(Work {
        config,
        wanted,
        id,
        incarnation,
        netns,
        parent,
        macvlan,
        mac,
    })
}

/// Answers a repeated ADD with its first result, and clears away what an earlier life left.
fn end_earlier_life(locked: &mut Locked, work: &Work<'_>) -> Result<Option<CniResult>, CniError> {
    if let Some(intent) = locked.left_intent()? {
        detach::remove_half_made(&intent)?;
        if let Some(record) = locked.record()? {
            detach::remove_complete(&record)?;
        }
        work.pass_on(
            &intent.attachment,
            &Known::unfinished(intent.incarnation.clone()),
        )?;
        locked.remove_record()?;
        return Ok(None);
    }
    let Some(record) = locked.record()? else {
        return Ok(None);
    };
    let stands = record.netns == *work.netns.at() && work.stands(&record)?;
    if stands && record.attachment != work.id {
        let message = format!(
            "CNI_IFNAME: {} is the interface of {}",
            work.id.ifname, record.attachment
        );
        return Err(CniError::new(Code::InvalidEnvironment, message)
            .details("use another interface name, or delete that attachment first"));
    }
    if stands {
        let result = serde_json::from_value(record.result);
        return result.map(Some).map_err(|error| {
            CniError::new(Code::Internal, format!("the attachment's record: {error}"))
        });
    }
    // A runtime that starts a container anew under its old id: the address is passed on.
    detach::remove_complete(&record)?;
    work.pass_on(&record.attachment, &Known::of(&record))?;
    Ok(None)
}

impl Work<'_> {
    fn intent(&self) -> Intent {
        Intent {
            v: SchemaVersion,
            attachment: self.id.clone(),
            incarnation: self.incarnation.clone(),
            netns: self.netns.at().clone(),
            mac: self.macvlan.mac.or(self.mac),
        }
    }

    /// Leaves what an earlier life holds to this one's claim, unless the network or the node was
    /// renamed since: then nobody would look for it under its old name again.
    fn pass_on(&self, earlier: &AttachmentId, known: &Known) -> Result<(), CniError> {
        if *earlier == self.id {
            return Ok(());
        }
        let allocator = Allocator::open(self.config)?;
        let release = allocator
            .ipam
            .release_or_journal(earlier, Some(known), Timestamp::now());
        allocator.wait(release).map(drop).map_err(CniError::from)
    }

    /// Claims an address while the link is made, then shapes the link for it.
    fn claim_and_build(
        &self,
        host: &mut Netlink,
    ) -> (
        Option<Allocator>,
        Result<Lease, Unclaimed>,
        Result<Link, Unbuilt>,
    ) {
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let inside = self
                .netns
                .start_within(scope, move || self.build(host, &told));
            let (allocator, claimed) = match Allocator::open(self.config) {
                Ok(allocator) => {
                    let claimed = self.claim(&allocator);
                    (Some(allocator), claimed)
                }
                Err(error) => (None, Err(Unclaimed { error, clean: true })),
            };
            if let Ok(lease) = &claimed {
                // A builder that has failed no longer listens.
                drop(tell.send(lease.clone()));
            }
            drop(tell);
            let built = inside.and_then(|inside| self.netns.end(inside));
            let built = built.unwrap_or_else(|error| {
                Err(Unbuilt {
                    // Nothing was made in what could not be entered.
                    linked: !matches!(error, NetnsError::NotOne(_)),
                    error: error.into(),
                })
            });
            (allocator, claimed, built)
        })
    }

    fn claim(&self, allocator: &Allocator) -> Result<Lease, Unclaimed> {
        let request = Request {
            attachment: self.id.clone(),
            incarnation: self.incarnation.clone(),
            pod: self.wanted.pod.clone(),
            netns: Some(self.netns.at().clone()),
            pool: self.wanted.pool.clone(),
            exact: self.wanted.exact,
            mac: self.mac,
        };
        let lease = allocator.wait(allocator.ipam.allocate(&request, Timestamp::now()));
        checkpoint("add.claimed");
        lease.map_err(|error| Unclaimed {
            clean: !matches!(
                error,
                IpamError::Store(StoreError::OutcomeUnknown { .. }) | IpamError::Disk { .. }
            ),
            error: error.into(),
        })
    }

    /// Makes the link in the container's namespace, where this runs, and shapes it once the
    /// address is known. `host` asks on the node, wherever it is used.
    fn build(&self, host: &mut Netlink, lease: &Receiver<Lease>) -> Result<Link, Unbuilt> {
        host.create_macvlan(&self.macvlan, self.netns.as_fd())
            .map_err(|error| Unbuilt {
                error: self.explain(&error),
                linked: false,
            })?;
        checkpoint("add.linked");
        let shaped = || {
            let mut netlink = Netlink::open()?;
            let gone = || CniError::new(Code::Internal, "the new link has vanished");
            let fresh = netlink.link_by_name(&self.id.ifname)?.ok_or_else(gone)?;
            let unclaimed = |_| CniError::new(Code::Internal, "no address was claimed");
            let steps = self.shape(&lease.recv().map_err(unclaimed)?)?.steps()?;
            for step in &steps {
                self.take(&mut netlink, fresh.index, step)?;
            }
            let link = netlink.link_by_index(fresh.index)?.ok_or_else(gone)?;
            let addresses = netlink.addresses(link.index)?;
            verify(&steps, &link, &addresses)?;
            Ok(link)
        };
        shaped().map_err(|error| Unbuilt {
            error,
            linked: true,
        })
    }

    /// What the interface is to be.
    fn shape(&self, lease: &Lease) -> Result<Shape, CniError> {
        if let Some(vlan) = lease.subnet.vlan {
            let remedy = "this release makes no VLAN sub-interfaces: use a pool without a VLAN";
            return Err(CniError::field(
                &format!("vlan of pool {}", lease.pool),
                vlan,
                remedy,
            ));
        }
        Ok(Shape {
            address: lease.address,
            subnet: lease.subnet.clone(),
            mac: (self.config.mode != Mode::Passthru).then_some(lease.mac),
            announce: if self.config.announce {
                Announce::WhenUp
            } else {
                Announce::Never
            },
        })
    }

    /// Whether the interface of `record` stands as it was made.
    fn stands(&self, record: &LocalAttachment) -> Result<bool, CniError> {
        let seen = self.netns.within(|| {
            let mut netlink = Netlink::open()?;
            let Some(link) = netlink.link_by_name(&self.id.ifname)? else {
                return Ok(None);
            };
            let addresses = netlink.addresses(link.index)?;
            Ok::<_, NetlinkError>(Some((link, addresses)))
        })??;
        Ok(seen.is_some_and(|(link, addresses)| {
            link.index == record.link.ifindex
                && link.up
                && record
                    .addresses
                    .iter()
                    .all(|address| addresses.contains(&address.cidr))
        }))
    }

    /// Writes down what stands, and says so.
    fn record(&self, locked: &Locked, lease: &Lease, link: &Link) -> Result<CniResult, CniError> {
        let shape = self.shape(lease)?;
        let cidr = shape.cidr()?;
        let mac = link.mac.unwrap_or(lease.mac);
        let gateway = lease.subnet.gateway;
        let result = CniResult {
            interfaces: vec![Interface {
                name: self.id.ifname.to_string(),
                mac: mac.to_string(),
                mtu: link.mtu,
                sandbox: self.netns.at().path.display().to_string(),
            }],
            ips: vec![Ip {
                address: cidr,
                gateway,
                interface: 0,
            }],
            routes: shape.routes(),
            dns: self.config.dns.clone(),
        };
        let printed = serde_json::to_value(&result)
            .map_err(|error| CniError::new(Code::Internal, error.to_string()))?;
        locked.write_record(&LocalAttachment {
            v: SchemaVersion,
            attachment: self.id.clone(),
            incarnation: self.incarnation.clone(),
            pod: self.wanted.pod.clone(),
            netns: self.netns.at().clone(),
            link: LocalLink {
                mac,
                ifindex: link.index,
                master: self.parent.name.clone(),
            },
            addresses: vec![LocalAddress {
                cidr,
                gateway,
                record: Some(lease.record.clone()),
            }],
            revision: Some(lease.revision.0),
            result: printed,
        })?;
        Ok(result)
    }

    fn take(&self, netlink: &mut Netlink, index: u32, step: &Step) -> Result<(), CniError> {
        match step {
            Step::EnableIpv6 => enable_ipv6(self.id.ifname.as_str())?,
            Step::Prepare { mac, announce } => {
                netlink
                    .prepare_link(index, *mac, *announce)
                    .map_err(|e| self.explain(&e))?;
            }
            Step::Address(address) => netlink.add_address(index, *address)?,
            Step::Up => netlink
                .link_up(index)
                .map_err(|error| self.explain(&error))?,
            Step::Route {
                destination,
                gateway,
            } => {
                // Of several interfaces with a default route the first one keeps it, as with the
                // reference plugins.
                match netlink.add_route(index, *destination, *gateway) {
                    Err(error) if error.errno() == Some(Errno::EEXIST) => {}
                    other => other?,
                }
            }
        }
        checkpoint(match step {
            Step::EnableIpv6 => "add.ipv6",
            Step::Prepare { .. } => "add.prepared",
            Step::Address(_) => "add.addressed",
            Step::Up => "add.up",
            Step::Route { .. } => "add.routed",
        });
        Ok(())
    }

    /// The kernel's refusal in the words of the configuration.
    fn explain(&self, error: &NetlinkError) -> CniError {
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
                .details(format!("{parent} cannot be the master of such a macvlan; is it in use otherwise?")),
            Some(Errno::ENETDOWN) => CniError::new(Code::TryAgain, message)
                .details(format!("bring {parent} up: ip link set {parent} up")),
            Some(Errno::EPERM) => CniError::new(Code::Internal, message).details("run the plugin as root"),
            _ => CniError::new(Code::Internal, message),
        }
    }

    /// Undoes what was made, newest first, and says what could not be undone.
    ///
    /// The intent stays while something is left, so that DEL knows.
    fn undo(
        &self,
        made: Made,
        allocator: Option<&Allocator>,
        locked: Locked,
        cause: CniError,
    ) -> CniError {
        let mut left = Vec::new();
        if made.linked
            && let Err(error) = detach::remove_half_made(&self.intent())
        {
            left.push(error.to_string());
        }
        checkpoint("add.undo.unlinked");
        // An address whose interface may still be there stays held.
        if let (true, true, Some(allocator)) = (made.claimed, left.is_empty(), allocator) {
            let known = Known::unfinished(self.incarnation.clone());
            let release =
                allocator
                    .ipam
                    .release_or_journal(&self.id, Some(&known), Timestamp::now());
            if let Err(error) = allocator.wait(release) {
                left.push(error.to_string());
            }
        }
        checkpoint("add.undo.released");
        if left.is_empty() {
            let forgotten = locked.remove_record().and_then(|()| locked.finish());
            left.extend(forgotten.err().map(|error| error.to_string()));
        }
        if left.is_empty() {
            cause
        } else {
            cause.details(format!("left behind: {}", left.join("; ")))
        }
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

/// Allows IPv6 on the interface and on `lo`, where a runtime has switched it off.
fn enable_ipv6(ifname: &str) -> Result<(), CniError> {
    for link in [ifname, "lo"] {
        let path = format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6");
        let off = fs::read(&path).is_ok_and(|value| value.starts_with(b"1"));
        if off {
            fs::write(&path, b"0").map_err(|error| CniError::io(&path, &error))?;
        }
    }
    Ok(())
}
