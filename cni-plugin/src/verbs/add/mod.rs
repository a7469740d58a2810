//! ADD: intent, claim and link at once, the interface's shape, proof, record, result.

mod build;
mod earlier;
mod fresh;
mod neighbours;
mod placed;
mod refusal;
mod steps;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_ipam::fault::checkpoint;
use berth_ipam::{Known, Lease};
use berth_types::{
    AttachmentId, IfName, Incarnation, LocalAttachment, LocalLink, LocalPort, MacAddr,
    SchemaVersion,
};
use jiff::Timestamp;

use super::allocator::{Allocator, random};
use super::claim::Unclaimed;
use super::leavings::Leavings;
use super::{detach, given};
use crate::files::{Intent, Locked, RunFiles};
use crate::host::{Link, Netlink, Netns};
use crate::host_access::{Ends, node_addresses};
use crate::ovs::pending;
use crate::plan::{self, NewLink};
use crate::spec::{
    CniError, CniResult, Code, Config, Interface, Invocation, LinkConfig, MainConfig,
};
use crate::wanted::{Wanted, attachment};
use build::{Built, Unbuilt};
use earlier::{Earlier, end_earlier_life};
use fresh::Fresh;

/// Everything an ADD knows before it changes anything.
struct Work<'a> {
    config: &'a Config,
    link: &'a LinkConfig,
    files: RunFiles,
    wanted: Wanted,
    id: AttachmentId,
    incarnation: Incarnation,
    netns: Netns,
    /// The master.
    parent: Link,
    /// The link to be made.
    fresh: NewLink,
    /// The hardware address that link is made with.
    first_mac: Option<MacAddr>,
    /// The port it is to be connected by.
    port: Option<LocalPort>,
    /// Whether the bridge's database was asked for that port.
    port_asked: AtomicBool,
    /// The hardware address the interface is to have, when that is known before its address.
    mac: Option<MacAddr>,
    /// The node's addresses that the container is to reach past the LAN.
    node: Vec<IpAddr>,
}

/// What was made so far, and is to be undone on failure, newest first.
#[derive(Clone, Copy, Debug, Default)]
struct Made {
    claimed: bool,
    linked: bool,
}

/// Connects the container, all of it or nothing.
///
/// # Errors
/// What went wrong, with what to do; the details say what could not be undone.
pub fn add(call: &Invocation, config: &MainConfig) -> Result<String, CniError> {
    let mut host = Netlink::open()?;
    let work = prepare(call, config, &mut host)?;
    let (config, files) = (&config.common, &work.files);
    let mut locked = files.lock(&work.id)?;
    let earlier = end_earlier_life(&mut locked, &work)?;
    if let Earlier::Stands(result) = earlier {
        locked.finish()?;
        return Ok(result.to_json(config.version));
    }
    locked.write_intent(&work.intent())?;
    checkpoint("add.intent");
    let (allocator, claimed, built) = work.claim_and_build(&mut host);
    let made = Made {
        claimed: matches!(earlier, Earlier::Unfinished)
            || !matches!(claimed, Err(Unclaimed { clean: true, .. })),
        linked: !matches!(built, Err(Unbuilt { linked: false, .. })),
    };
    let connected = match (claimed, built) {
        (Err(unclaimed), _) => {
            if unclaimed.store_away {
                files.note_store_away();
            }
            Err(unclaimed.error)
        }
        (Ok(lease), Err(unbuilt)) => Err(work.keep_out(allocator.as_ref(), lease, unbuilt)),
        (Ok(lease), Ok(built)) => {
            let proven = work.note_wire(allocator.as_ref(), lease, &[]);
            proven.and_then(|lease| work.record(&locked, &lease, built))
        }
    };
    match connected {
        Ok(result) => {
            checkpoint("add.recorded");
            locked.finish()?;
            files.note_store_back();
            if let Some(allocator) = allocator {
                allocator.drain_briefly();
            }
            pending::drain(&config.state_dir);
            Ok(result.to_json(config.version))
        }
        Err(error) => Err(work.undo(made, allocator.as_ref(), locked, error)),
    }
}

fn prepare<'a>(
    call: &Invocation,
    config: &'a MainConfig,
    host: &mut Netlink,
) -> Result<Work<'a>, CniError> {
    let MainConfig {
        common: config,
        link,
    } = config;
    let wanted = Wanted::new(call, config)?;
    let id = attachment(call, config)?;
    let path = call
        .netns()
        .ok_or_else(|| CniError::new(Code::InvalidEnvironment, "ADD needs CNI_NETNS"))?;
    let netns = Netns::open(path)?;
    let incarnation = Incarnation::from_random(random()?);
    let fresh = Fresh::plan(link, &id, wanted.mac, &incarnation, host)?;
    let Fresh {
        parent,
        link: made,
        first_mac,
        port,
        mac,
    } = fresh;
    let node = match &link.host_access {
        Some(_) => node_addresses(host, parent.index)?,
        None => Vec::new(),
    };
    Ok(Work {
        config,
        link,
        files: RunFiles::new(&config.run_dir),
        wanted,
        id,
        incarnation,
        netns,
        parent,
        fresh: made,
        first_mac,
        port,
        port_asked: AtomicBool::new(false),
        mac,
        node,
    })
}

impl Work<'_> {
    fn intent(&self) -> Intent {
        Intent {
            v: SchemaVersion,
            attachment: self.id.clone(),
            incarnation: self.incarnation.clone(),
            netns: self.netns.at().clone(),
            mac: self.first_mac.or(self.mac),
            port: self.port.clone(),
            host_end: self.host_end(),
        }
    }

    /// The node's end of the pair by which node and container reach each other.
    fn host_end(&self) -> Option<IfName> {
        let ends = self.link.host_access.as_ref().map(|_| Ends::of(&self.id));
        ends?.ok().map(|ends| ends.node)
    }

    const fn leavings(&self) -> Leavings<'_> {
        Leavings {
            config: self.config,
            link: Some(self.link),
        }
    }

    /// Writes down what stands, and says so.
    fn record(&self, locked: &Locked, lease: &Lease, built: Built) -> Result<CniResult, CniError> {
        let Built {
            link,
            parent,
            host,
            routes,
        } = built;
        let limits = self.wanted.limits;
        let mac = link.mac.unwrap_or(lease.mac);
        let addresses = given::addresses(lease)?;
        let result = CniResult {
            ips: given::ips(&addresses, Some(host.len())),
            interfaces: host
                .into_iter()
                .map(|end| Interface {
                    name: end.name,
                    mac: end.mac.map(|mac| mac.to_string()).unwrap_or_default(),
                    mtu: end.mtu,
                    sandbox: String::new(),
                })
                .chain([Interface {
                    name: self.id.ifname.to_string(),
                    mac: mac.to_string(),
                    mtu: link.mtu,
                    sandbox: self.netns.at().path.display().to_string(),
                }])
                .collect(),
            routes,
            dns: self.config.dns.clone(),
        };
        let printed = serde_json::to_value(&result)
            .map_err(|error| CniError::new(Code::Internal, error.to_string()))?;
        locked.write_record(&LocalAttachment {
            v: SchemaVersion,
            attachment: self.id.clone(),
            incarnation: self.incarnation.clone(),
            pod: self.wanted.wish.pod.clone(),
            netns: self.netns.at().clone(),
            link: LocalLink {
                mac,
                ifindex: link.index,
                master: parent.name,
                vlan: plan::vlan(self.link.vlan, lease.addresses.iter().map(|l| &l.subnet))?,
                port: self.port.clone(),
                host_end: self.host_end(),
                ingress_rate: limits.ingress.map(|limit| limit.rate.bits()),
                egress_rate: limits.egress.map(|limit| limit.rate.bits()),
            },
            addresses,
            revision: Some(lease.revision.0),
            result: printed,
        })?;
        Ok(result)
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
            && let Err(error) = detach::remove_half_made(&self.intent(), None)
        {
            left.push(error.to_string());
        }
        if left.is_empty() {
            let mut intent = self.intent();
            // A database that was never asked has nothing to remove, now or later.
            intent.port = intent
                .port
                .filter(|_| self.port_asked.load(Ordering::Relaxed));
            let removed = self.leavings().remove(Some(&intent), None);
            left.extend(removed.err().map(|error| error.to_string()));
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
            // While nothing was released, an earlier life's record says what it still holds.
            let forgotten = if made.claimed {
                locked.remove_record()
            } else {
                Ok(())
            };
            let forgotten = forgotten.and_then(|()| locked.finish());
            left.extend(forgotten.err().map(|error| error.to_string()));
        }
        if left.is_empty() {
            cause
        } else {
            cause.details(format!("left behind: {}", left.join("; ")))
        }
    }
}
