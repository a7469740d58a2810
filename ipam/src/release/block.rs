//! Giving back a block that nobody uses, so that other nodes look there first.

use berth_store::{Compare, Outcome, Read, Store, StoreError, Txn, Write};
use berth_types::{AddressRecord, Block, BlockRecord, PoolName, keys};
use tracing::debug;

use crate::Ipam;
use crate::allocate::block_range;
use crate::record::{decode, list, parse};

impl<S: Store> Ipam<S> {
    /// Gives a block back if it is this node's and nobody has an address of it.
    ///
    /// A block decides nothing but where a node looks first, so what goes wrong here is only said.
    pub(super) async fn give_back(&self, pool: &PoolName, block: Block) {
        match self.remove_block(pool, block).await {
            Ok(()) => {}
            Err(error) => debug!(%pool, first = %block.first, %error, "the block stays"),
        }
        // Ours no more, or in use after all: the next look tells.
        self.learn(pool, |hint| hint.forget_block(block.first));
    }

    async fn remove_block(&self, pool: &PoolName, block: Block) -> Result<(), StoreError> {
        let key = keys::block(pool, block.first);
        let range = block_range(block);
        let reads = [Read::Get(key.as_str().into()), Read::List(range.clone())];
        let seen = self.store.read(&reads).await?;
        let ours = match parse::<BlockRecord>(&seen, 0) {
            Ok(Some((revision, record))) if record.node == self.node.name => revision,
            _ => return Ok(()),
        };
        let used = |entry| decode::<AddressRecord>(entry).map_or(true, |(_, r)| r.holder.is_some());
        if list(&seen, 1).iter().any(used) {
            return Ok(());
        }
        let txn = Txn {
            compares: vec![
                Compare::at(key.as_str(), ours),
                // Nobody has taken an address meanwhile.
                Compare::NoneNewer {
                    range,
                    revision: seen.revision,
                },
            ],
            writes: vec![Write::delete(key)],
            otherwise: Vec::new(),
        };
        match self.store.commit(&txn).await? {
            Outcome::Committed(_) | Outcome::Refused(_) => Ok(()),
        }
    }
}
