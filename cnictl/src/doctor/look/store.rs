//! What the store says.

use std::time::Duration;

use berth_cni::spec::{Config, IpamConfig};
use berth_cni::wanted::node_name;
use berth_ipam::NodeIdentity;
use berth_ipam::node::{Standing, judge};
use berth_store::{Answer, AnyStore, LineageSeen, Read, Store as _, StoreConfig};
use berth_types::{ClosedRecord, NodeRecord, PoolName, PoolRecord, keys};

use super::{clock, failed};
use crate::doctor::seen::{Seen, SeenStore, Unseen};
use crate::node::random;

/// Reads closure, node and pools, all at once. Changes nothing, and makes no store.
pub(super) fn look(config: &Config, longest: Duration) -> Seen<SeenStore> {
    let own = match &config.ipam {
        IpamConfig::Own(own) => own,
        IpamConfig::Other(other) => {
            let plugin = &other.plugin;
            return Err(Unseen::Moot(format!("{plugin} gives the addresses")));
        }
    };
    let at = &own.store;
    if let StoreConfig::Embedded(folder) = at
        && !folder.join("data.mdb").is_file()
    {
        let folder = folder.display();
        return Err(Unseen::Failed(format!(
            "embedded:{folder}: there is no store in that folder"
        )));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(failed)?;
    let store = AnyStore::open_or_say(at);
    let node = node_name(config).map_err(failed)?;
    let mut reads = vec![
        Read::Get(keys::CLOSED.into()),
        Read::Get(keys::node(&node).into()),
    ];
    let pools = &own.pools;
    reads.extend(pools.iter().map(|pool| Read::Get(keys::pool(pool).into())));
    let answer = runtime.block_on(store.read(&reads)).map_err(failed)?;
    let (lineage, mixed) = match store.lineage() {
        LineageSeen::One(lineage) => (lineage.to_string(), false),
        LineageSeen::Nobody => (String::new(), false),
        LineageSeen::Several => (String::new(), true),
    };
    Ok(SeenStore {
        closed: read::<ClosedRecord>(&answer, 0).map(|closed| match closed {
            Ok(closed) => closed.reason,
            Err(problem) => problem,
        }),
        mixed,
        lineage,
        not_ours: not_ours(config, read(&answer, 1))?,
        pools: (2..)
            .zip(pools)
            .map(|(n, pool)| (pool.clone(), pool_of(&answer, n, pool)))
            .collect(),
        ahead_s: clock::ahead_s(at, longest),
    })
}

fn read<R: berth_types::Record>(answer: &Answer, n: usize) -> Option<Result<R, String>> {
    let entry = answer.lists.get(n)?.first()?;
    let key = String::from_utf8_lossy(&entry.key);
    Some(R::decode(&key, &entry.value).map_err(|error| error.to_string()))
}

fn pool_of(answer: &Answer, n: usize, name: &PoolName) -> Result<PoolRecord, String> {
    let missing = || Err(format!("pool {name} does not exist"));
    read(answer, n).unwrap_or_else(missing)
}

/// Why the node's name is another machine's. A machine that never allocated has nothing to compare.
fn not_ours(
    config: &Config,
    record: Option<Result<NodeRecord, String>>,
) -> Seen<Option<(String, String)>> {
    let record = match record {
        None => return Ok(None),
        Some(Err(problem)) => {
            return Ok(Some((
                problem,
                "upgrade this program if a newer release wrote it".into(),
            )));
        }
        Some(Ok(record)) => record,
    };
    if NodeIdentity::id_in(&config.state_dir).is_none() {
        let found = format!(
            "node {} is known to the store, and not to this machine",
            record_name(config)?
        );
        let remedy = "if this machine replaces one that is gone, run `cnictl node adopt` on it; \
                      else give it a name of its own (\"node\")";
        return Ok(Some((found, remedy.into())));
    }
    let random = random().map_err(failed)?;
    let identity = NodeIdentity::load(
        node_name(config).map_err(failed)?,
        &config.state_dir,
        random,
    );
    Ok(match judge(Some(&record), &identity.map_err(failed)?) {
        Standing::Ours | Standing::Unclaimed(_) => None,
        Standing::DeclaredDead(_) => Some((
            "this node was declared dead: what lives here is not in the store".into(),
            "run `cnictl node republish` on it".into(),
        )),
        Standing::Anothers(anothers) => Some((anothers.to_string(), anothers.hint().into())),
    })
}

fn record_name(config: &Config) -> Seen<String> {
    Ok(node_name(config).map_err(failed)?.to_string())
}
