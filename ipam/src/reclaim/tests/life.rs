//! What each piece of evidence proves of a container.

use super::*;

/// A change of the small world.
type Change = fn(&mut World);

#[test]
fn a_namespace_or_a_sandbox_is_enough_to_live() {
    let cases: [(&str, Change, Class); 5] = [
        ("its node sees it", |w| w.node_says(&["a"]), Class::Ok),
        (
            "its pod has ended but its namespace is there",
            |w| {
                w.node_says(&["a"]);
                ended(w);
            },
            Class::Ok,
        ),
        (
            "only its namespace is left",
            |w| {
                w.node_says(&["a"]);
                w.view().sandboxes = Some([].into());
            },
            Class::Ok,
        ),
        (
            "only its sandbox is left",
            |w| {
                w.node_says(&["a"]);
                w.view().namespaces.clear();
            },
            Class::Ok,
        ),
        (
            "no runtime was asked, and its namespace is gone",
            |w| {
                w.node_says(&[]);
                w.view().sandboxes = None;
            },
            Class::Leaked(Gone::NoNamespace),
        ),
    ];
    judged(cases);
}

#[test]
fn what_an_earlier_boot_left_is_gone() {
    let cases: [(&str, Change, Class); 4] = [
        (
            "its path is another namespace's since the node was started anew",
            |w| {
                w.node_says(&[]);
                let other = (netns("a").path, 1);
                w.view().namespaces.insert(other);
            },
            Class::Leaked(Gone::NoNamespace),
        ),
        (
            "the node was started anew and uses its number again",
            |w| {
                w.node_says(&[]);
                let other = ("/else".into(), netns("a").inode);
                w.view().namespaces.insert(other);
                w.view().earlier_boot = Some(Revision(2));
            },
            Class::Leaked(Gone::EarlierBoot),
        ),
        (
            "of an earlier boot, yet it runs",
            |w| {
                w.node_says(&["a"]);
                w.view().earlier_boot = Some(Revision(2));
            },
            Class::CannotTell(Unclear::Contradiction),
        ),
        (
            "written in this boot",
            |w| {
                w.node_says(&["a"]);
                w.view().earlier_boot = Some(Revision(1));
            },
            Class::Ok,
        ),
    ];
    judged(cases);
}

#[test]
fn a_node_speaks_for_its_own_machine_until_that_is_proven_dead() {
    use DeathProof::{Declared, ObjectDeleted, OutOfService};
    let dead = |proof| Class::Leaked(Gone::NodeDead(proof));
    let cases: [(&str, Change, Class); 7] = [
        (
            "another machine has the node's name",
            |w| {
                w.node_says(&[]);
                w.view().node_id = machine(2);
            },
            Class::CannotTell(Unclear::OtherMachine),
        ),
        (
            "a name that is in use proves no death of the machine before",
            |w| {
                w.node_says(&[]);
                w.view().node_id = machine(2);
                w.node_is_dead(Declared);
            },
            Class::CannotTell(Unclear::OtherMachine),
        ),
        (
            "that machine is dead",
            |w| {
                w.node_says(&[]);
                w.view().node_id = machine(2);
                w.node_is_dead(Declared);
                let death = w.evidence.dead.values_mut().next().unwrap();
                death.node_id = Some(machine(1));
            },
            dead(Declared),
        ),
        (
            "a node that speaks is not dead",
            |w| {
                w.node_says(&["a"]);
                w.node_is_dead(ObjectDeleted);
            },
            Class::Ok,
        ),
        (
            "its node is out of service and its pod has ended",
            |w| {
                w.node_is_dead(OutOfService);
                ended(w);
            },
            dead(OutOfService),
        ),
        (
            "its node is deleted, and nobody lists pods",
            |w| w.node_is_dead(ObjectDeleted),
            Class::CannotTell(Unclear::NoPodList),
        ),
        (
            "its pod has ended, and its node is merely away",
            ended,
            Class::CannotTell(Unclear::NodeAway),
        ),
    ];
    judged(cases);
}

#[test]
fn a_container_of_no_pod_is_freed_by_its_own_node_or_an_operator_alone() {
    let cases: [(&str, Change, Class); 5] = [
        ("nobody speaks", |_| {}, Class::NoApiOwner),
        (
            "its node sees it",
            |w| w.node_says(&["a"]),
            Class::NoApiOwner,
        ),
        (
            "its node is deleted from an API that never knew it",
            |w| w.node_is_dead(DeathProof::ObjectDeleted),
            Class::NoApiOwner,
        ),
        (
            "its node does not see it",
            |w| w.node_says(&[]),
            Class::Leaked(Gone::NoNamespace),
        ),
        (
            "an operator declared its node dead",
            |w| w.node_is_dead(DeathProof::Declared),
            Class::Leaked(Gone::NodeDead(DeathProof::Declared)),
        ),
    ];
    for empty in [true, false] {
        for (case, change, expected) in cases.clone() {
            let mut world = World::with_one();
            world.api_shows(&[]);
            let pod = &mut world.attachment("a").pod;
            // Podman names no pod; others name one without a uid.
            *pod = pod.take().filter(|_| empty).map(|pod| PodRef {
                uid: String::new(),
                ..pod
            });
            change(&mut world);
            assert_eq!(world.class(), expected, "case: {case}, {empty}");
        }
    }
}

#[test]
fn an_attachment_without_a_namespace_needs_the_runtimes_word() {
    let look = |sandboxes: Option<&str>| {
        let mut world = World::with_one();
        world.attachment("a").netns = None;
        world.node_says(&[]);
        world.view().sandboxes = sandboxes.map(|name| [name.parse().unwrap()].into());
        world.class()
    };
    assert_eq!(look(Some("a")), Class::Ok);
    assert_eq!(look(Some("b")), Class::Leaked(Gone::NoSandbox));
    assert_eq!(look(None), Class::CannotTell(Unclear::NothingToLookFor));
}

#[test]
fn records_that_do_not_agree_are_left_alone() {
    let cases: [(&str, Change); 3] = [
        ("no attachment", |w| w.allocations.attachments.clear()),
        ("another life", |w| {
            w.attachment("a").incarnation = Incarnation::from_random([4; 16]);
        }),
        ("names another address", |w| {
            w.attachment("a").addresses = vec![ip(6)];
        }),
    ];
    for (case, change) in cases {
        let mut world = World::with_one();
        world.node_says(&[]);
        change(&mut world);
        let expected = Class::CannotTell(Unclear::RecordsDiffer);
        assert_eq!(world.class(), expected, "case: {case}");
    }
}

fn judged<const N: usize>(cases: [(&str, Change, Class); N]) {
    for (case, change, expected) in cases {
        let mut world = World::with_one();
        change(&mut world);
        assert_eq!(world.class(), expected, "case: {case}");
    }
}

/// Its pod's containers have ended, says the API.
fn ended(world: &mut World) {
    let pods = [("a", PodPhase::Ended), ("other", PodPhase::Live)];
    let pods = pods.map(|(name, phase)| PodSeen {
        uid: uid(name),
        phase,
    });
    let list = PodList::new(PodSource::Api, Coverage::All, Monotonic(0), pods);
    world.evidence.pods = Some(list);
}
