//! An observer of a site, with a clock that is set by hand.

use std::collections::BTreeSet;

use berth_ipam::reclaim::{
    Allocations, Candidate, Committed, Death, DeathProof, Decision, Evidence, Limits, Monotonic,
    NodeView, Observations, decide,
};
use berth_store::Store;
use berth_types::NodeName;

use crate::support::{Node, Site, now};

/// When the second look is made, in milliseconds.
pub(crate) const LATER: Monotonic = Monotonic(600_000);

/// What the observer has to go by.
pub(crate) enum Word<'a> {
    /// The node's own: these containers run.
    Own(&'a Node, &'a [&'a str]),
    /// An operator's: the node is dead.
    Dead(&'a str),
}

impl Word<'_> {
    fn evidence(&self, begun: Monotonic) -> Evidence {
        let mut evidence = Evidence::default();
        match self {
            Word::Own(node, alive) => {
                let names = alive.iter().map(|name| name.parse().expect("a name"));
                let view = NodeView {
                    node_id: node.ipam.node().id.clone(),
                    begun,
                    namespaces: BTreeSet::new(),
                    sandboxes: Some(names.collect()),
                    earlier_boot: None,
                };
                evidence.nodes.insert(node.ipam.node().name.clone(), view);
            }
            Word::Dead(node) => {
                let death = Death {
                    node_id: None,
                    proof: DeathProof::Declared,
                    begun,
                };
                let node: NodeName = node.parse().expect("a name");
                evidence.dead.insert(node, death);
            }
        }
        evidence
    }
}

/// What two looks ten minutes apart come to.
pub(crate) async fn settled(site: &Site, word: &Word<'_>) -> Decision {
    let store = site.open();
    let mut kept = Observations::none("observer", "boot");
    for at in [Monotonic(0), LATER] {
        let allocations = Allocations::read(&store, || at).await.expect("read");
        let decision = decided(&allocations, word, &kept, at);
        if at == LATER {
            return decision;
        }
        kept = decision.observations;
    }
    unreachable!("the second look returns")
}

/// One look at what was read.
pub(crate) fn decided(
    allocations: &Allocations,
    word: &Word<'_>,
    kept: &Observations,
    at: Monotonic,
) -> Decision {
    let evidence = word.evidence(at);
    decide(allocations, &evidence, kept, &Limits::default(), at).expect("a decision")
}

/// The only candidate of two looks.
pub(crate) async fn only(site: &Site, word: &Word<'_>) -> Candidate {
    let decision = settled(site, word).await;
    let [candidate] = decision.candidates.try_into().expect("one candidate");
    candidate
}

/// Frees it just after the second look.
pub(crate) async fn commit(candidate: &Candidate, store: &impl Store) -> Committed {
    let committed = candidate.commit(store, LATER, now()).await;
    committed.expect("the store answers")
}
