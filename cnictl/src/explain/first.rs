//! Which addresses an ADD would try first.

use std::net::IpAddr;

use berth_cni::spec::{CniError, Config, IpamConfig, OwnIpam};
use berth_cni::wanted::{Wish, node_name};
use berth_ipam::{Ipam, IpamError, NodeIdentity};
use berth_store::{AnyStore, Read, Store as _, StoreConfig};
use berth_types::{
    AddressRecord, Family, NodeName, PoolName, PoolRecord, PoolState, Record as _,
    ReservationRecord, Subnet, keys,
};

use crate::observe::{Found, Snapshot};

/// The addresses, one of each family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct First {
    /// Their pool.
    pub(super) pool: PoolName,
    /// The addresses, IPv4 first.
    pub(super) addresses: Vec<Tried>,
}

/// An address to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tried {
    /// The address.
    pub(super) address: IpAddr,
    /// Its subnet.
    pub(super) subnet: Subnet,
    /// Whether somebody else may still have it.
    pub(super) unproven: bool,
    /// How it is chosen.
    pub(super) how: How,
}

/// How an address is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It was asked for.
    Asked,
    /// It is kept for the workload.
    Reserved,
    /// By what the node believes.
    Hint,
    /// By a look into the store.
    Scan,
}

/// The addresses that the wish would be given now, by the first of its pools that has some.
///
/// # Errors
/// Why an ADD would get none, as that says it.
pub(super) async fn first(config: &Config, wish: &Wish) -> Result<First, CniError> {
    let own = match &config.ipam {
        IpamConfig::Own(own) => own,
        IpamConfig::Other(other) => {
            let remedy = "that plugin gives the addresses, and says which only when it gives them";
            return Err(CniError::field("ipam.type", &other.plugin, remedy));
        }
    };
    if let StoreConfig::Embedded(folder) = &own.store
        && !folder.join("data.mdb").is_file()
    {
        let folder = format!("{:?}", folder.display().to_string());
        let remedy = "there is no store in that folder: `cnictl pool create` makes one";
        return Err(CniError::field("ipam.store.embedded", folder, remedy));
    }
    let store = AnyStore::open_or_say(&own.store);
    let unread = |error| CniError::from(IpamError::Store(error));
    let seen = Snapshot::read(&store).await.map_err(unread)?;
    let mut reads = vec![Read::Get(keys::CLOSED.into())];
    reads.extend(
        wish.reservation
            .iter()
            .map(|id| Read::Get(keys::reservation(id).into())),
    );
    let answer = store.read(&reads).await.map_err(unread)?;
    let one = |n: usize| answer.lists.get(n).and_then(|list| list.first());
    if one(0).is_some() {
        let reason = "see `cnictl store status`".to_owned();
        return Err(IpamError::Closed { reason }.into());
    }
    let node = node_name(config)?;
    let reserved = wish.reservation.as_ref().map(|id| {
        let missing = || IpamError::NoSuchReservation(id.clone());
        let entry = one(1).ok_or_else(missing)?;
        let record = ReservationRecord::decode(keys::reservation(id), &entry.value);
        Ok::<_, IpamError>(record?)
    });
    let reserved = reserved.transpose()?;
    let pools = match &reserved {
        Some(reserved) => vec![reserved.pool.clone()],
        None => wish.pools.clone(),
    };
    let hints = hints(config, own, node.clone(), store);
    let looking = Looking {
        wish,
        seen: &seen,
        node: &node,
        reserved: reserved.as_ref(),
    };
    let mut refused = None;
    for pool in pools {
        let hint = |family| {
            hints
                .as_ref()
                .and_then(|ipam| ipam.would_try(&pool, family))
        };
        match looking.in_pool(&pool, hint) {
            Ok(first) => return Ok(first),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused
        .unwrap_or(IpamError::Exhausted { pools: vec![] })
        .into())
}

/// The node's beliefs, where it has any. A machine that never allocated is given no identity here.
fn hints(
    config: &Config,
    own: &OwnIpam,
    node: NodeName,
    store: AnyStore,
) -> Option<Ipam<AnyStore>> {
    NodeIdentity::id_in(&config.state_dir)?;
    let identity = NodeIdentity::load(node, &config.state_dir, [0; 16]).ok()?;
    Some(Ipam::new(store, &own.store, identity, &config.state_dir))
}

/// What is looked for, and where.
struct Looking<'a> {
    wish: &'a Wish,
    seen: &'a Snapshot,
    node: &'a NodeName,
    reserved: Option<&'a ReservationRecord>,
}

impl Looking<'_> {
    fn in_pool(
        &self,
        name: &PoolName,
        hint: impl Fn(Family) -> Option<IpAddr>,
    ) -> Result<First, IpamError> {
        let missing = || IpamError::NoSuchPool(name.clone());
        let pool = self.seen.pool(name).ok_or_else(missing)?;
        let pool = pool.record.as_ref().map_err(|_unreadable| missing())?;
        self.admits(name, pool)?;
        let mut addresses = Vec::new();
        for family in pool.families() {
            let (address, how) = self.of_family(name, pool, family, &hint)?;
            let outside = || IpamError::NotInPool {
                address,
                pool: name.clone(),
            };
            addresses.push(Tried {
                subnet: pool.subnet_of(address).cloned().ok_or_else(outside)?,
                unproven: self.record(address).is_some_and(|record| record.unproven),
                address,
                how,
            });
        }
        addresses.sort_by_key(|tried| tried.address);
        Ok(First {
            pool: name.clone(),
            addresses,
        })
    }

    fn admits(&self, name: &PoolName, pool: &PoolRecord) -> Result<(), IpamError> {
        let namespace = self.wish.pod.as_ref().map(|pod| pod.namespace.as_str());
        let namespace = namespace.filter(|namespace| !namespace.is_empty());
        let refused = |whom: String| {
            Err(IpamError::NotAdmitted {
                pool: name.clone(),
                whom,
            })
        };
        if pool.state != PoolState::Active {
            return Err(IpamError::PoolClosed {
                pool: name.clone(),
                state: pool.state,
            });
        }
        if !pool.admits_namespace(namespace) {
            return refused(format!("namespace {}", namespace.unwrap_or("of no pod")));
        }
        if !pool.admits_node(self.node) {
            return refused(format!("node {}", self.node));
        }
        Ok(())
    }

    fn of_family(
        &self,
        name: &PoolName,
        pool: &PoolRecord,
        family: Family,
        hint: &impl Fn(Family) -> Option<IpAddr>,
    ) -> Result<(IpAddr, How), IpamError> {
        let of = |address: &&IpAddr| Family::of(**address) == family;
        if let Some(address) = self.wish.exact.iter().find(of) {
            return self
                .asked(name, pool, *address)
                .map(|()| (*address, How::Asked));
        }
        if let Some(reserved) = self.reserved {
            let free = |address: &&IpAddr| !self.is_held(**address);
            let found = reserved.addresses.iter().filter(of).find(free);
            return found
                .map(|address| (*address, How::Reserved))
                .ok_or_else(used_up);
        }
        if let Some(address) = hint(family) {
            return Ok((address, How::Hint));
        }
        let free = |address: &IpAddr| {
            let record = self.record(*address);
            let is_free =
                |record: &AddressRecord| record.holder.is_none() && record.reserved_for.is_none();
            pool.is_usable(*address) && record.is_none_or(is_free)
        };
        let blocks = pool
            .blocks()
            .filter(|block| Family::of(block.first) == family);
        let ours = blocks.filter(|block| self.may_use(name, block.first));
        let found = ours
            .flat_map(|block| block.addresses().collect::<Vec<_>>())
            .find(free);
        found
            .map(|address| (address, How::Scan))
            .ok_or_else(used_up)
    }

    fn asked(&self, name: &PoolName, pool: &PoolRecord, address: IpAddr) -> Result<(), IpamError> {
        if !pool.is_usable(address) {
            return Err(IpamError::NotInPool {
                address,
                pool: name.clone(),
            });
        }
        let holder = self
            .record(address)
            .and_then(|record| record.holder.clone());
        holder.map_or(Ok(()), |holder| {
            let holder = Box::new(holder);
            Err(IpamError::Held { address, holder })
        })
    }

    /// Whether the block that begins there is nobody else's.
    fn may_use(&self, pool: &PoolName, first: IpAddr) -> bool {
        let key = keys::block(pool, first);
        let mut blocks = self.seen.blocks.iter();
        let found = blocks.find(|block| key.ends_with(&block.name));
        let node = found.and_then(|block| Some(&block.record.as_ref().ok()?.node));
        node.is_none_or(|node| node == self.node)
    }

    fn record(&self, address: IpAddr) -> Option<&AddressRecord> {
        let of = |found: &&Found<AddressRecord>| found.address() == Some(address);
        self.seen.addresses.iter().find(of)?.record.as_ref().ok()
    }

    fn is_held(&self, address: IpAddr) -> bool {
        self.record(address)
            .is_some_and(|record| record.holder.is_some())
    }
}

fn used_up() -> IpamError {
    IpamError::Exhausted { pools: vec![] }
}
