//! A test per rule, with the bug of another system that the rule answers.

use berth_types::BadRecord;

use super::*;

const NONE: [u8; 0] = [];
const GONE: Class = Class::Leaked(Gone::NoNamespace);

/// whereabouts #207: pods were listed before the reservations, so new ones looked leaked.
#[test]
fn rule_1_what_was_looked_at_before_the_allocations_decides_nothing() {
    let mut world = World::with_one();
    world.node_says(&[]);
    world.node_is_dead(DeathProof::Declared);
    world.api_shows(&[]);
    world.look(0);
    let now = Monotonic(600_000);
    world.allocations.finished = Monotonic(599_000);
    let [pods, view, death] = [1, 2, 3].map(|_| Monotonic(599_000));
    let set = |world: &mut World, [pods, view, death]: [Monotonic; 3]| {
        world.evidence.pods.as_mut().unwrap().begun = pods;
        world.view().begun = view;
        let dead = &mut world.evidence.dead;
        dead.values_mut().next().unwrap().begun = death;
    };
    set(&mut world, [pods, view, death]);
    assert!(world.decide(now).is_ok());
    let early = Monotonic(598_999);
    for times in [
        [early, view, death],
        [pods, early, death],
        [pods, view, early],
    ] {
        set(&mut world, times);
        let refused = world.decide(now).unwrap_err();
        assert!(matches!(refused, Refused::ReadTooEarly { .. }), "{refused}");
    }
    set(&mut world, [pods, view, Monotonic(600_001)]);
    let refused = world.decide(now).unwrap_err();
    assert!(matches!(refused, Refused::Backwards { .. }), "{refused}");
}

/// whereabouts #176: a pod of the same name took its predecessor's place in the list.
#[test]
fn rule_2_a_pod_of_the_same_name_is_another() {
    let mut world = World::with_one();
    world.node_is_dead(DeathProof::ObjectDeleted);
    world.api_shows(&["a"]);
    assert_eq!(world.class(), Class::CannotTell(Unclear::PodRemains));
    // The same namespace and name, another uid.
    world.attachment("a").pod.as_mut().unwrap().uid = "uid-before".into();
    let dead = Gone::NodeDead(DeathProof::ObjectDeleted);
    assert_eq!(world.class(), Class::Leaked(dead));
}

/// containerd makes a new sandbox for the same pod: the old one's address leaks.
#[test]
fn rule_2_an_old_sandbox_of_a_living_pod_is_gone() {
    let mut world = World::with_one();
    world.node_says(&["b"]);
    world.api_shows(&["a"]);
    assert_eq!(world.class(), GONE);
}

/// calico #5044: what the pod's status did not show was taken for unused.
#[test]
fn rule_3_a_pod_that_the_api_does_not_show_proves_nothing() {
    let mut world = World::with_one();
    world.api_shows(&[]);
    assert_eq!(world.class(), Class::CannotTell(Unclear::NodeAway));
    let mut world = World::with_one();
    world.node_says(&["a"]);
    world.api_shows(&[]);
    assert_eq!(world.class(), Class::NoApiOwner, "its node sees it alive");
}

/// calico "valid until proven leaked".
#[test]
fn rule_4_what_cannot_be_told_is_alive() {
    let mut world = World::with_one();
    assert_eq!(world.class(), Class::CannotTell(Unclear::NodeAway));
    world.node_says(&[]);
    world
        .view()
        .namespaces
        .insert(("/other".into(), netns("a").inode));
    assert_eq!(world.class(), Class::CannotTell(Unclear::InodeElsewhere));
}

/// nvidia #37 and whereabouts freed by name what had a new owner; here the revisions are compared,
/// as `ipam/tests/reclaim` shows on both stores.
#[test]
fn rule_6_a_candidate_names_the_revisions_it_rests_on() {
    let mut world = World::with_one();
    world.touch(5);
    world.node_says(&[]);
    let decision = world.settled();
    let [candidate] = decision.candidates.as_slice() else {
        panic!("{decision:?}")
    };
    assert_eq!(candidate.attached_at(), Revision(2));
    assert_eq!(candidate.addresses()[0].1, Revision(3));
    assert!(!candidate.unproven());
}

/// calico #13858, spiderpool #3751: a restart or a stale cache condemned a whole pool.
#[test]
fn rule_8_a_pass_stops_where_outsiders_would_free_too_much() {
    let mut world = World::new();
    for last in 0..65 {
        world.hold(&format!("c{last}"), &[last]);
    }
    world.node_is_dead(DeathProof::OutOfService);
    world.api_shows(&[]);
    let decision = world.settled();
    assert!(decision.candidates.is_empty());
    let stopped = Stopped {
        pool: "prod".parse().unwrap(),
        would_free: 65,
        most: 64,
    };
    assert_eq!(decision.stopped, [stopped]);
    let pools = &mut world.allocations.pools;
    pools.insert("prod".parse().unwrap(), 1300);
    let decision = world.look(11);
    assert_eq!((decision.stopped.len(), decision.candidates.len()), (0, 65));
    assert!(decision.candidates.iter().all(Candidate::unproven));
}

#[test]
fn rule_8_what_the_node_itself_proves_is_not_counted() {
    let mut world = World::new();
    for last in 0..200 {
        world.hold(&format!("c{last}"), &[last]);
    }
    world.node_says(&[]);
    let decision = world.settled();
    assert_eq!(
        (decision.stopped.len(), decision.candidates.len()),
        (0, 200)
    );
}

/// calico #12257: the same address in another spelling was another address.
#[test]
fn rule_9_addresses_are_compared_as_numbers() {
    let mut world = World::with_one();
    world.attachment("a").addresses = vec!["::ffff:10.20.1.5".parse().unwrap()];
    world.node_says(&[]);
    assert_eq!(world.class(), GONE);
}

/// calico #5044: the IPv6 address looked leaked, and the release by handle took IPv4 along.
#[test]
fn rule_10_an_address_that_cannot_be_told_does_not_condemn_its_sibling() {
    let mut world = World::new();
    world.hold("a", &[5, 6, 7]);
    world.address(6).reserved_for = Some("shop/workload/cart".parse().unwrap());
    let malformed = BadRecord::Malformed {
        key: "k".into(),
        reason: "r".into(),
    };
    let addresses = &mut world.allocations.addresses;
    addresses.get_mut(&ip(7)).unwrap().1 = Err(malformed.clone());
    world.node_is_dead(DeathProof::ObjectDeleted);
    world.api_shows(&[]);
    let decision = world.settled();
    assert_eq!(freed(&decision), [5]);
    let classes: Vec<_> = decision.verdicts.into_iter().map(|v| v.class).collect();
    let dead = Gone::NodeDead(DeathProof::ObjectDeleted);
    let kept_for = "shop/workload/cart".parse().unwrap();
    let expected = [
        Class::Leaked(dead),
        Class::Reserved(dead, kept_for),
        Class::Malformed(malformed),
    ];
    assert_eq!(classes, expected);
}

/// kube-ovn #3222, galaxy #136: a fixed address changed although nobody asked.
#[test]
fn rule_11_a_reserved_address_is_freed_only_by_policy_or_operator() {
    let reserved = |proof: Option<DeathProof>| {
        let mut world = World::with_one();
        world.address(5).reserved_for = Some("shop/pod/cart-0/eth0".parse().unwrap());
        world.api_shows(&[]);
        match proof {
            Some(proof) => world.node_is_dead(proof),
            None => world.node_says(&[]),
        }
        world
    };
    let mut taint = reserved(Some(DeathProof::OutOfService));
    assert!(matches!(taint.class(), Class::Reserved(..)));
    taint.allocations.wanted.insert(ip(5));
    assert_eq!(freed(&taint.look(11)), [5], "its next user waits");
    assert_eq!(freed(&reserved(Some(DeathProof::Declared)).settled()), [5]);
    let by_node = reserved(None).settled();
    assert_eq!(freed(&by_node), [5], "its own node knows");
    let candidate = &by_node.candidates[0];
    let record = candidate.freed(&candidate.addresses()[0].2, Timestamp::UNIX_EPOCH);
    assert!(record.reserved_for.is_some(), "it stays reserved");
}

/// calico #12838: conflicts were tried again without end. Each candidate is one transaction, and
/// one that is refused is left to the next pass.
#[test]
fn rule_12_what_changed_is_found_anew_with_its_new_revision() {
    let mut world = World::with_one();
    world.node_says(&[]);
    assert_eq!(freed(&world.settled()), [5]);
    world.touch(5);
    assert_eq!(freed(&world.look(11)), NONE);
    assert_eq!(freed(&world.look(21)), [5]);
}

/// nvidia-k8s-ipam #37: one namespace was watched, and the pods of all others looked gone.
#[test]
fn rule_13_a_list_speaks_only_for_what_it_covers() {
    let some = |names: &[&str]| Coverage::Namespaces(names.iter().map(|n| (*n).into()).collect());
    let cases = [
        (Coverage::All, true),
        (some(&["shop"]), true),
        (some(&["bank"]), false),
        (Coverage::Node("n1".parse().unwrap()), true),
        (Coverage::Node("n2".parse().unwrap()), false),
        (Coverage::None, false),
    ];
    for (coverage, speaks) in cases {
        let case = format!("{coverage:?}");
        let mut world = World::with_one();
        world.node_is_dead(DeathProof::ObjectDeleted);
        world.list(PodSource::Api, coverage, &[]);
        let expected = if speaks {
            Class::Leaked(Gone::NodeDead(DeathProof::ObjectDeleted))
        } else {
            Class::CannotTell(Unclear::NoPodList)
        };
        assert_eq!(world.class(), expected, "case: {case}");
    }
}

#[test]
fn rule_13_an_empty_list_from_the_api_is_an_error() {
    let mut world = World::with_one();
    for (source, refused) in [
        (PodSource::Api, true),
        (PodSource::File, false),
        (PodSource::Runtime, false),
    ] {
        let list = PodList::new(source, Coverage::All, Monotonic(0), []);
        world.evidence.pods = Some(list);
        let result = world.try_look(0);
        assert_eq!(result.err() == Some(Refused::NoPods), refused, "{source:?}");
    }
}

/// A store restored from a backup says what was true long ago.
#[test]
fn a_store_set_back_or_closed_decides_nothing() {
    let mut world = World::with_one();
    world.look(0);
    world.allocations.revision.0 -= 1;
    let refused = world.try_look(1).unwrap_err();
    assert!(matches!(refused, Refused::SetBack { .. }), "{refused}");
    world.allocations.revision.0 += 1;
    world.allocations.closed = true;
    assert_eq!(world.try_look(1).unwrap_err(), Refused::Closed);
}
