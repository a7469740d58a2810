//! Which nodes the store knows, and what they have answered.

use std::collections::{BTreeMap, BTreeSet};

use berth_store::{Answer, Entry, KeyRange, Read, Revision, Store, StoreError};
use berth_types::{
    Answered, AttachmentRecord, BadRecord, BlockRecord, ClosedRecord, NodeAnswer, NodeId, NodeName,
    NodeRecord, keys,
};

use crate::record::{decode, list, one};

/// A record with the revision that wrote it, or why it cannot be read.
type Stored<R> = (Revision, Result<R, BadRecord>);

/// The store's closure and nodes, all of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The store's revision at that moment.
    pub revision: Revision,
    /// Why it is closed; `None` while it is open. A record that cannot be read closes it as well.
    pub closed: Option<Stored<ClosedRecord>>,
    /// Every node that has a record, an attachment or a block.
    pub nodes: BTreeMap<NodeName, NodeView>,
}

/// What the store has of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeView {
    /// Its record at `nodes/<node>`.
    pub record: Option<Stored<NodeRecord>>,
    /// How many attachments it has, whatever machine made them.
    pub attachments: usize,
    /// How many blocks it has.
    pub blocks: usize,
    /// The random ids of the machines that made its attachments; more than one where a machine was
    /// replaced.
    pub made_by: BTreeSet<NodeId>,
}

/// How a node stands to the closure of its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// The store is open, nothing is asked.
    NotAsked,
    /// It published all it has.
    Republished,
    /// An operator says that it is gone for good.
    Dead,
    /// It has not answered, or its record cannot be read.
    Missing,
}

/// Reads the closure and every node.
///
/// # Errors
/// [`StoreError`].
pub async fn look(store: &impl Store) -> Result<View, StoreError> {
    let lists = [keys::NODES, keys::ATTACHMENTS, keys::BLOCKS];
    let lists = lists.map(|prefix| Read::List(KeyRange::prefix(prefix)));
    let mut reads = vec![Read::Get(keys::CLOSED.into())];
    reads.extend(lists);
    Ok(View::of(&store.read(&reads).await?))
}

impl View {
    /// Of the answer to the closure, nodes, attachments and blocks, in this order. Pure.
    fn of(answer: &Answer) -> Self {
        let mut nodes: BTreeMap<NodeName, NodeView> = BTreeMap::new();
        for entry in list(answer, 1) {
            if let Some(name) = keys::parse_node(&entry.key) {
                nodes.entry(name).or_default().record = Some(stored(entry));
            }
        }
        for entry in list(answer, 2) {
            let Some(id) = keys::parse_attachment(&entry.key) else {
                continue;
            };
            let node = nodes.entry(id.node).or_default();
            node.attachments += 1;
            let readable = decode::<AttachmentRecord>(entry).ok();
            node.made_by
                .extend(readable.map(|(_, record)| record.node_id));
        }
        for entry in list(answer, 3) {
            if let Ok((_, BlockRecord { v: _, node })) = decode::<BlockRecord>(entry) {
                nodes.entry(node).or_default().blocks += 1;
            }
        }
        Self {
            revision: answer.revision,
            closed: one(answer, 0).map(stored),
            nodes,
        }
    }

    /// How `node` stands to the closure.
    pub fn state(&self, node: &NodeView) -> NodeState {
        let Some((_, closed)) = &self.closed else {
            return NodeState::NotAsked;
        };
        let record = node
            .record
            .as_ref()
            .and_then(|(_, record)| record.as_ref().ok());
        let answered = record.and_then(|record| record.answered.as_ref());
        match (closed, answered) {
            (Ok(closed), Some(Answered { closure, how })) if *closure == closed.id => match how {
                NodeAnswer::Republished => NodeState::Republished,
                NodeAnswer::Dead => NodeState::Dead,
            },
            _ => NodeState::Missing,
        }
    }

    /// The nodes that have not answered, in order.
    pub fn missing(&self) -> Vec<NodeName> {
        let missing = self
            .nodes
            .iter()
            .filter(|(_, node)| self.state(node) == NodeState::Missing);
        missing.map(|(name, _)| name.clone()).collect()
    }
}

fn stored<R: berth_types::Record>(entry: &Entry) -> Stored<R> {
    (entry.revision, decode(entry).map(|(_, record)| record))
}
