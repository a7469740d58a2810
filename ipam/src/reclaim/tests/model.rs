//! Containers are born and die, evidence comes and goes: what lives is never condemned, and what is
//! dead always is in the end.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Happens {
    /// A container starts with one address, or with two.
    Birth { dual: bool },
    /// One dies; its node deletes nothing, so its addresses leak.
    Death(usize),
    /// Somebody writes a held address again.
    Touch(usize),
    /// The API forgets a pod, dead or alive.
    PodVanishes(usize),
    /// A look, so many minutes later, by what is at hand.
    Look { minutes: u64, at_hand: AtHand },
    /// What may be freed is freed.
    Free,
}

#[derive(Clone, Copy, Debug)]
struct AtHand {
    node: bool,
    runtime: bool,
    api: bool,
}

fn happens() -> impl Strategy<Value = Happens> {
    let at_hand = (any::<bool>(), any::<bool>(), any::<bool>());
    let look = (0..20_u64, at_hand).prop_map(|(minutes, (node, runtime, api))| Happens::Look {
        minutes,
        at_hand: AtHand { node, runtime, api },
    });
    prop_oneof![
        3 => any::<bool>().prop_map(|dual| Happens::Birth { dual }),
        2 => any::<usize>().prop_map(Happens::Death),
        1 => any::<usize>().prop_map(Happens::Touch),
        1 => any::<usize>().prop_map(Happens::PodVanishes),
        6 => look,
        1 => Just(Happens::Free),
    ]
}

struct Model {
    world: World,
    minute: u64,
    born: u8,
    alive: BTreeSet<String>,
    pods: BTreeSet<String>,
    last: Option<Decision>,
}

impl Model {
    fn new() -> Self {
        Self {
            world: World::new(),
            minute: 0,
            born: 0,
            alive: BTreeSet::new(),
            pods: BTreeSet::new(),
            last: None,
        }
    }

    fn go_on(&mut self, what: &Happens) {
        match what {
            Happens::Birth { dual } if self.born < 100 => {
                let name = format!("c{}", self.born);
                let addresses = [self.born, self.born + 100];
                self.world.hold(&name, &addresses[..=usize::from(*dual)]);
                self.born += 1;
                self.alive.insert(name.clone());
                self.pods.insert(name);
            }
            Happens::Birth { .. } => {}
            Happens::Death(n) => without(&mut self.alive, *n),
            Happens::PodVanishes(n) => without(&mut self.pods, *n),
            Happens::Touch(n) => {
                let held: Vec<_> = self.held().collect();
                if let Some(last) = held.get(n % held.len().max(1)) {
                    self.world.touch(*last);
                    self.last = None;
                }
            }
            Happens::Look { minutes, at_hand } => self.look(*minutes, *at_hand),
            Happens::Free => self.free(),
        }
    }

    fn held(&self) -> impl Iterator<Item = u8> {
        self.world.allocations.addresses.keys().map(|a| octet(*a))
    }

    fn look(&mut self, minutes: u64, at_hand: AtHand) {
        self.minute += minutes;
        let alive: Vec<_> = self.alive.iter().map(String::as_str).collect();
        self.world.evidence = Evidence::default();
        if at_hand.node {
            self.world.node_says(&alive);
            if !at_hand.runtime {
                self.world.view().sandboxes = None;
            }
        }
        if at_hand.api {
            let pods: Vec<_> = self.pods.iter().map(String::as_str).collect();
            self.world.api_shows(&pods);
        }
        self.last = Some(self.world.look(self.minute));
    }

    /// As the transaction would: only what is unchanged.
    fn free(&mut self) {
        for candidate in self.last.take().into_iter().flat_map(|d| d.candidates) {
            for (address, ..) in candidate.addresses() {
                self.world.allocations.addresses.remove(address);
            }
            let attachments = &mut self.world.allocations.attachments;
            attachments.remove(candidate.attachment());
        }
        self.world.write();
    }

    /// The containers that hold something.
    fn holding(&self) -> BTreeSet<String> {
        let attachments = self.world.allocations.attachments.keys();
        attachments.map(|id| id.container.to_string()).collect()
    }

    /// The containers of what the last look would free.
    fn condemned(&self) -> BTreeSet<String> {
        let candidates = self.last.iter().flat_map(|decision| &decision.candidates);
        candidates
            .map(|c| c.attachment().container.to_string())
            .collect()
    }
}

/// Takes any one out, if there is one.
fn without(set: &mut BTreeSet<String>, n: usize) {
    let name = set.iter().nth(n % set.len().max(1)).cloned();
    if let Some(name) = name {
        set.remove(&name);
    }
}

proptest! {
    #[test]
    fn what_lives_is_never_condemned_and_what_is_dead_always_is(
        history in proptest::collection::vec(happens(), 1..80),
    ) {
        let mut model = Model::new();
        for what in &history {
            model.go_on(what);
            if matches!(what, Happens::Look { .. }) {
                let condemned = model.condemned();
                prop_assert!(condemned.is_disjoint(&model.alive), "{condemned:?}");
            }
        }
        let at_hand = AtHand { node: true, runtime: true, api: false };
        model.look(1, at_hand);
        model.look(10, at_hand);
        model.free();
        prop_assert_eq!(model.holding(), model.alive);
    }

    #[test]
    fn a_dead_nodes_addresses_are_freed_once_the_api_has_forgotten_their_pods(
        history in proptest::collection::vec(happens(), 1..40),
        vanish in proptest::collection::vec(any::<usize>(), 0..40),
    ) {
        let mut model = Model::new();
        for what in history.iter().filter(|what| !matches!(what, Happens::Look { .. })) {
            model.go_on(what);
        }
        for n in vanish {
            without(&mut model.pods, n);
        }
        let shown: Vec<_> = model.pods.iter().map(String::as_str).collect();
        model.world.api_shows(&shown);
        model.world.node_is_dead(DeathProof::ObjectDeleted);
        model.world.limits.always = u64::MAX;
        let decision = model.world.settled();
        prop_assert!(decision.candidates.iter().all(Candidate::unproven));
        model.last = Some(decision);
        model.free();
        prop_assert_eq!(model.holding(), model.pods);
    }
}
