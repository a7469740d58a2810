//! ADD: intent, claim and link at once, the interface's shape, proof, record, result.

mod build;
mod earlier;
mod refusal;
mod steps;

use berth_ipam::fault::checkpoint;
use berth_ipam::{Known, Lease};
use berth_types::{AttachmentId, Incarnation, LocalAttachment, LocalLink, MacAddr, SchemaVersion};
use jiff::Timestamp;

use super::allocator::{Allocator, random};
use super::claim::Unclaimed;
use super::status::find_master;
use super::{detach, given, leavings};
use crate::files::{Intent, Locked, RunFiles};
use crate::host::{Link, Macvlan, Netlink, Netns};
use crate::plan::{self, NewLink};
use crate::spec::{
    CniError, CniResult, Code, Config, Driver, Interface, Invocation, LinkConfig, MacvlanConfig,
    MainConfig,
};
use crate::wanted::{Wanted, attachment};
use build::{Built, Unbuilt};
use earlier::{Earlier, end_earlier_life};

/// Everything an ADD knows before it changes anything.
struct Work<'a> {
    config: &'a Config,
    link: &'a LinkConfig,
    files: RunFiles,
    wanted: Wanted,
    id: AttachmentId,
    incarnation: Incarnation,
    netns: Netns,
    /// The link it stands on.
    parent: Link,
    /// The link to be made.
    fresh: NewLink,
    /// The hardware address that link is made with.
    first_mac: Option<MacAddr>,
    /// The hardware address the interface is to have, when that is known before its address.
    mac: Option<MacAddr>,
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
        (Ok(_), Err(unbuilt)) => Err(unbuilt.error),
        (Ok(lease), Ok(built)) => work.record(&locked, &lease, built),
    };
    match connected {
        Ok(result) => {
            checkpoint("add.recorded");
            locked.finish()?;
            files.note_store_back();
            if let Some(allocator) = allocator {
                allocator.drain_briefly();
            }
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
    let Fresh {
        parent,
        link: fresh,
        first_mac,
        mac,
    } = Fresh::plan(link, &id, wanted.mac, &incarnation, host)?;
    Ok(Work {
        config,
        link,
        files: RunFiles::new(&config.run_dir),
        wanted,
        id,
        incarnation,
        netns,
        parent,
        fresh,
        first_mac,
        mac,
    })
}

/// The link to be made, as the host allows it.
struct Fresh {
    parent: Link,
    link: NewLink,
    first_mac: Option<MacAddr>,
    mac: Option<MacAddr>,
}

impl Fresh {
    /// Looks at the host and decides.
    fn plan(
        config: &LinkConfig,
        id: &AttachmentId,
        asked: Option<MacAddr>,
        incarnation: &Incarnation,
        host: &mut Netlink,
    ) -> Result<Self, CniError> {
        let MacvlanConfig { master, mode } = match &config.driver {
            Driver::Macvlan(macvlan) => macvlan,
            Driver::Ovs(_) => return Err(CniError::field("driver", "ovs", "use macvlan")),
        };
        let parent = find_master(host, master)?;
        let mac = plan::mac(*mode, asked, &parent)?;
        let marked = !config.driver.keeps_parents_mac();
        let first_mac = marked.then(|| detach::first_mac(incarnation));
        let link = NewLink::Macvlan(Macvlan {
            name: id.ifname.clone(),
            parent: parent.index,
            mode: *mode,
            mtu: plan::mtu(config.mtu, &parent)?,
            mac: first_mac,
        });
        Ok(Self {
            parent,
            link,
            first_mac,
            mac,
        })
    }
}

impl Work<'_> {
    fn intent(&self) -> Intent {
        Intent {
            v: SchemaVersion,
            attachment: self.id.clone(),
            incarnation: self.incarnation.clone(),
            netns: self.netns.at().clone(),
            mac: self.first_mac.or(self.mac),
        }
    }

    /// Writes down what stands, and says so.
    fn record(&self, locked: &Locked, lease: &Lease, built: Built) -> Result<CniResult, CniError> {
        let Built { link, routes } = built;
        let limits = self.wanted.limits;
        let mac = link.mac.unwrap_or(lease.mac);
        let addresses = given::addresses(lease)?;
        let result = CniResult {
            interfaces: vec![Interface {
                name: self.id.ifname.to_string(),
                mac: mac.to_string(),
                mtu: link.mtu,
                sandbox: self.netns.at().path.display().to_string(),
            }],
            ips: given::ips(&addresses, Some(0)),
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
                master: self.parent.name.clone(),
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
            let removed = leavings::remove(&self.id, Some(&self.intent()), None);
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
