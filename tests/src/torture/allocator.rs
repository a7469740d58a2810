//! The only place of the torture test that calls the allocator.

use std::net::IpAddr;
use std::path::Path;

use berth_ipam::{Ipam, IpamError, Known, NoEvidence, NodeIdentity, Released, Request, Stickiness};
use berth_store::{AnyStore, StoreConfig, StoreError};
use berth_types::{AttachmentId, PodRef, PoolName, ReservationId};
use jiff::Timestamp;
use serde_json::Value;

use super::history::{Life, Wish};

/// How many waiting releases one call makes.
const DRAINED_PER_CALL: usize = 16;
/// Where all pods and workloads are.
const NAMESPACE: &str = "torture";

/// One node's allocator.
#[derive(Debug)]
pub struct Allocator {
    ipam: Ipam<AnyStore>,
    pool: PoolName,
}

/// What an ADD brought.
#[derive(Clone, Debug)]
pub struct Given {
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// What the node keeps of it for the DEL.
    pub memory: Value,
}

/// The kind of an error, and all of it for the log.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Short, the same for all errors of the kind.
    pub kind: String,
    /// The error.
    pub message: String,
}

impl From<IpamError> for Refused {
    fn from(error: IpamError) -> Self {
        let kind = match &error {
            IpamError::Store(StoreError::OutcomeUnknown { .. }) => "outcome unknown",
            IpamError::Store(_) => "store away",
            IpamError::Held { .. } => "held",
            IpamError::Reserved { .. } => "reserved",
            IpamError::Exhausted { .. } => "exhausted",
            IpamError::ReservationInUse { .. } => "set in use",
            IpamError::NotProvenGone { .. } => "not proven gone",
            IpamError::Contended { .. } => "contended",
            IpamError::JournalFull { .. } => "journal full",
            other => return Self::other(other),
        };
        Self {
            kind: kind.to_owned(),
            message: error.to_string(),
        }
    }
}

impl Refused {
    /// An error that nothing in the test calls for; the message is the kind, so that it shows.
    fn other(error: &IpamError) -> Self {
        Self {
            kind: format!("unexpected: {error}"),
            message: error.to_string(),
        }
    }
}

impl Allocator {
    /// The allocator of the node called `node`, with its files below `state`.
    ///
    /// # Errors
    /// When the store cannot be opened, or the state folder not be written.
    pub fn open(
        config: &StoreConfig,
        (node, state): (&str, &Path),
        (pool, random): (&str, [u8; 16]),
    ) -> Result<Self, Refused> {
        let name = node.parse().expect("the test's node names are names");
        let identity = NodeIdentity::load(name, state, random)?;
        let store = AnyStore::open(config).map_err(IpamError::from)?;
        Ok(Self {
            ipam: Ipam::new(store, config, identity, state),
            pool: pool.parse().expect("the test's pool name is a name"),
        })
    }

    /// Asks for an address, as ADD does.
    ///
    /// # Errors
    /// Whatever the allocator says; a DEL is owed then.
    pub async fn add(&self, life: &Life, wish: &Wish) -> Result<Given, Refused> {
        let request = self.request(life, wish);
        let (evidence, now) = (NoEvidence, Timestamp::now());
        let lease = self.ipam.allocate(&request, &evidence, now).await?;
        let leased = lease.addresses.into_iter();
        let known = Known {
            incarnation: life.incarnation.clone(),
            revision: Some(lease.revision),
            addresses: leased.map(|one| (one.address, one.record)).collect(),
        };
        Ok(Given {
            addresses: known
                .addresses
                .iter()
                .map(|(address, _)| *address)
                .collect(),
            memory: serde_json::to_value(known).expect("what is kept is JSON"),
        })
    }

    fn request(&self, life: &Life, wish: &Wish) -> Request {
        let (id, incarnation) = (life.attachment.clone(), life.incarnation.clone());
        let mut request = Request::new(id, incarnation, vec![self.pool.clone()]);
        request.pod = Some(pod(life, wish));
        match wish {
            Wish::Any => {}
            Wish::Exact(address) => request.exact = vec![*address],
            Wish::Sticky(_) => request.stickiness = Stickiness::Sticky,
            Wish::Reserved(workload) => request.reservation = Some(reservation(workload)),
        }
        request
    }

    /// Gives back what the attachment holds, as DEL does; without `memory` its ADD did not finish.
    ///
    /// # Errors
    /// Whatever the allocator says; the DEL is still owed then.
    pub async fn del(&self, life: &Life, memory: Option<&Value>) -> Result<&'static str, Refused> {
        let known = memory.map_or_else(|| Known::unfinished(life.incarnation.clone()), known);
        let (id, now) = (&life.attachment, Timestamp::now());
        let released = self.ipam.release_or_journal(id, Some(&known), now).await?;
        Ok(released.as_ref().map_or("journalled", said))
    }

    /// Gives back what a life held that ended long ago, and nothing of a later one.
    ///
    /// # Errors
    /// Whatever the allocator says.
    pub async fn late_del(&self, life: &Life, memory: &Value) -> Result<&'static str, Refused> {
        let (id, now) = (&life.attachment, Timestamp::now());
        let released = self.ipam.release_only(id, &known(memory), now).await?;
        Ok(said(&released))
    }

    /// Notes that a killed ADD's claim may still arrive, as the next ADD does.
    ///
    /// # Errors
    /// When it cannot be noted.
    pub fn expect_late(&self, killed: &Life) -> Result<(), Refused> {
        let Life {
            attachment,
            incarnation,
        } = killed;
        let noted = self
            .ipam
            .expect_late(attachment, incarnation, Timestamp::now());
        Ok(noted?)
    }

    /// Makes releases that waited for the store; answers how many were made.
    ///
    /// # Errors
    /// When one could not be made.
    pub async fn drain(&self) -> Result<usize, Refused> {
        let drained = self.ipam.drain(DRAINED_PER_CALL, Timestamp::now()).await?;
        Ok(drained.done)
    }
}

/// The attachment of a worker's container.
pub fn attachment(node: &str, container: &str) -> AttachmentId {
    let id = format!("{node}/pods/{container}/eth0");
    id.parse().expect("the test's names are names")
}

/// The reservation of a workload.
pub fn reservation(workload: &str) -> ReservationId {
    let id = format!("{NAMESPACE}/workload/{workload}");
    id.parse().expect("the test's names are names")
}

/// The pod of a life: a sticky one keeps its name, all have a uid of their own.
fn pod(life: &Life, wish: &Wish) -> PodRef {
    let name = match wish {
        Wish::Sticky(pod) => pod.clone(),
        Wish::Any | Wish::Exact(_) | Wish::Reserved(_) => life.attachment.container.to_string(),
    };
    PodRef {
        namespace: NAMESPACE.to_owned(),
        name,
        uid: life.incarnation.to_string(),
    }
}

fn known(memory: &Value) -> Known {
    serde_json::from_value(memory.clone()).expect("what was kept is what was written")
}

const fn said(released: &Released) -> &'static str {
    match released {
        Released::Freed { .. } => "freed",
        Released::Nothing => "nothing",
    }
}
