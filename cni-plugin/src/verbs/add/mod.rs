//! ADD: intent, claim and link at once, the interface's shape, proof, record, result.

mod build;
mod earlier;
mod neighbours;
mod placed;
mod port;
mod refusal;
mod steps;
mod undo;

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;

use berth_ipam::fault::checkpoint;
use berth_types::{
    AttachmentId, IfName, Incarnation, LocalAttachment, LocalLink, LocalPort, MacAddr,
    SchemaVersion,
};
use serde_json::Value;

use super::allocator::random;
use super::claim::Unclaimed;
use super::given::Given;
use super::leavings::Leavings;
use super::{given, recognize};
use crate::files::{Intent, Locked, RunFiles};
use crate::host::{Link, Netlink, Netns};
use crate::host_access::{Ends, node_addresses};
use crate::ovs::pending;
use crate::plan::{self, Fresh, NewLink};
use crate::spec::{
    Chained, CniError, CniResult, Code, Config, Interface, Invocation, IpamConfig, LinkConfig,
    MainConfig,
};
use crate::wanted::{Wanted, attachment};
use build::{Built, Unbuilt};
use earlier::{Earlier, end_earlier_life};

/// Everything an ADD knows before it changes anything.
struct Work<'a> {
    call: &'a Invocation,
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
    let chained = Chained::parse(config.common.prev_result.as_ref())?;
    let work = prepare(call, config, &mut host)?;
    let (config, files) = (&config.common, &work.files);
    let mut locked = files.lock(&work.id)?;
    let earlier = end_earlier_life(&mut locked, &work)?;
    if let Earlier::Stands(result) = earlier {
        locked.finish()?;
        return Ok(chained.with(&result, config.version));
    }
    locked.write_intent(&work.intent())?;
    checkpoint("add.intent");
    let (source, claimed, built) = work.claim_and_build(&mut host, &locked);
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
        (Ok(given), Err(unbuilt)) => Err(work.keep_out(source.as_ref(), given, unbuilt)),
        (Ok(given), Ok(built)) => {
            let proven = work.note_wire(source.as_ref(), given, &[]);
            proven.and_then(|given| work.record(&locked, &given, built))
        }
    };
    match connected {
        Ok(result) => {
            checkpoint("add.recorded");
            locked.finish()?;
            if let Some(source) = source {
                source.drain_briefly(files);
            }
            pending::drain(&config.state_dir);
            Ok(chained.with(&result, config.version))
        }
        Err(error) => Err(work.undo(made, source.as_ref(), locked, error)),
    }
}

fn prepare<'a>(
    call: &'a Invocation,
    config: &'a MainConfig,
    host: &mut Netlink,
) -> Result<Work<'a>, CniError> {
    let MainConfig {
        common: config,
        link,
        misspelt: _,
    } = config;
    let wanted = Wanted::new(call, config)?;
    let id = attachment(call, config)?;
    let path = call
        .netns()
        .ok_or_else(|| CniError::new(Code::InvalidEnvironment, "ADD needs CNI_NETNS"))?;
    let netns = Netns::open(path)?;
    let incarnation = match &config.ipam {
        IpamConfig::Own(_) => Incarnation::from_random(random()?),
        IpamConfig::Other(_) => recognize::incarnation(&id, random()?),
    };
    let parent = plan::parent(&link.driver, |name| host.link_by_name(name))?;
    let fresh = Fresh::plan(link, &id, wanted.mac, &incarnation, parent)?;
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
        call,
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
            ipam: self.ipam(),
        }
    }

    /// The section `ipam`, where another plugin gives the addresses.
    fn ipam(&self) -> Option<Value> {
        match &self.config.ipam {
            IpamConfig::Own(_) => None,
            IpamConfig::Other(other) => Some(other.section.clone()),
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
    fn record(&self, locked: &Locked, given: &Given, built: Built) -> Result<CniResult, CniError> {
        let Built {
            link,
            parent,
            host,
            routes,
        } = built;
        let limits = self.wanted.limits;
        let mac = link.mac.unwrap_or_else(|| given.mac());
        let addresses = given.local_addresses()?;
        let own_dns = &self.config.dns;
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
            dns: if own_dns.is_empty() {
                given.dns()
            } else {
                own_dns.clone()
            },
        };
        let printed = serde_json::to_value(&result)
            .map_err(|error| CniError::new(Code::Internal, error.to_string()))?;
        locked.write_record(&LocalAttachment {
            v: SchemaVersion,
            attachment: self.id.clone(),
            incarnation: self.incarnation.clone(),
            pod: self.wanted.wish.pod.clone(),
            workload: self.wanted.workload.clone(),
            netns: self.netns.at().clone(),
            link: LocalLink {
                mac,
                ifindex: link.index,
                master: parent.name,
                vlan: self.vlan(given)?,
                port: self.port.clone(),
                host_end: self.host_end(),
                ingress_rate: limits.ingress.map(|limit| limit.rate.bits()),
                egress_rate: limits.egress.map(|limit| limit.rate.bits()),
            },
            addresses,
            revision: given.revision(),
            ipam: self.ipam(),
            result: printed,
        })?;
        Ok(result)
    }
}
