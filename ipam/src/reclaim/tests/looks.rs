//! Rules 5 and 7: how long something must look dead, and to whom.

use super::*;

const NONE: [u8; 0] = [];
const GONE: Class = Class::Leaked(Gone::NoNamespace);

/// whereabouts #162: one look at a pod that was just starting was enough.
#[test]
fn rule_5_two_looks_a_grace_apart_must_agree() {
    let mut world = World::with_one();
    world.node_says(&["a"]);
    world.look(0);
    world.look(20);
    world.node_says(&[]);
    let pending = Class::Pending(Gone::NoNamespace, Pending::OneLook);
    assert_eq!(world.look(21).verdicts[0].class, pending);
    assert_eq!(world.look(22).verdicts[0].class, GONE);
}

#[test]
fn rule_5_a_look_that_finds_it_alive_or_nothing_starts_anew() {
    for between in [Some(["a"]), None] {
        let mut world = World::with_one();
        world.node_says(&[]);
        world.look(0);
        world.evidence.nodes.clear();
        if let Some(alive) = between {
            world.node_says(&alive);
        }
        world.look(10);
        world.node_says(&[]);
        assert_eq!(freed(&world.look(20)), NONE, "case: {between:?}");
        assert_eq!(freed(&world.look(21)), [5], "case: {between:?}");
    }
}

#[test]
fn rule_5_one_look_is_one_look_however_small_the_grace() {
    let mut world = World::with_one();
    world.limits.grace = Duration::ZERO;
    world.limits.young = Duration::ZERO;
    world.node_says(&[]);
    assert_eq!(freed(&world.look(3)), NONE);
    assert_eq!(
        freed(&world.look(3)),
        NONE,
        "not even twice at the same moment"
    );
}

#[test]
fn rule_5_another_observer_or_boot_starts_anew() {
    let mut world = World::with_one();
    world.node_says(&[]);
    world.look(0);
    let kept = world.kept.clone();
    let resume = |observer: &str, boot: &str, minute: u64| {
        let now = Monotonic(60_000 * minute);
        Observations::resume(Some(kept.clone()), observer, boot, now)
    };
    assert_eq!(resume("n1", "boot", 10), kept);
    for (observer, boot) in [("n2", "boot"), ("n1", "boot2"), ("n1", "")] {
        world.kept = resume(observer, boot, 10);
        let fresh = Observations::none(observer, boot);
        assert_eq!(world.kept, fresh, "case: {observer} {boot}");
        assert_eq!(freed(&world.look(10)), NONE);
    }
}

#[test]
fn observations_survive_being_kept() {
    use berth_types::Record as _;
    let mut world = World::with_one();
    world.node_says(&[]);
    world.look(3);
    let text = world.kept.encode();
    assert_eq!(Observations::decode("file", &text), Ok(world.kept));
}

/// spiderpool #2442: addresses were collected while their pods were being bound.
#[test]
fn rule_7_what_was_written_in_the_last_ten_minutes_is_immune() {
    let mut world = World::with_one();
    world.node_says(&[]);
    world.look(0);
    let young = Class::Pending(Gone::NoNamespace, Pending::Young);
    assert_eq!(world.look(9).verdicts[0].class, young);
    world.touch(5);
    assert_eq!(world.look(15).verdicts[0].class, young, "written since");
    assert_eq!(world.look(24).verdicts[0].class, young);
    assert_eq!(world.look(25).verdicts[0].class, GONE);
}

#[test]
fn rule_7_an_attachment_that_was_written_makes_its_address_young() {
    let mut world = World::with_one();
    world.node_says(&[]);
    world.look(0);
    let at = world.write();
    world.allocations.attachments.get_mut(&id("a")).unwrap().0 = at;
    assert_eq!(freed(&world.look(10)), NONE);
    assert_eq!(freed(&world.look(20)), [5]);
}

/// An outsider's word, however old, does not make the node's first look its second.
#[test]
fn rule_5_looks_agree_only_when_the_same_side_speaks() {
    let mut world = World::with_one();
    world.node_is_dead(DeathProof::Declared);
    world.look(0);
    assert_eq!(freed(&world.look(10)), [5]);
    world.node_says(&[]);
    assert_eq!(freed(&world.look(11)), NONE);
    assert_eq!(freed(&world.look(12)), [5]);
}

#[test]
fn a_candidate_is_as_old_as_the_oldest_thing_it_rests_on() {
    let mut world = World::with_one();
    world.node_says(&[]);
    world.api_shows(&[]);
    world.settled();
    world.allocations.finished = Monotonic(700_000);
    world.view().begun = Monotonic(710_000);
    world.evidence.pods.as_mut().unwrap().begun = Monotonic(720_000);
    let decision = world.decide(Monotonic(900_000)).unwrap();
    assert_eq!(decision.candidates[0].looked, Monotonic(710_000));
}

#[test]
fn a_clock_that_went_back_is_another_clock() {
    let mut world = World::with_one();
    world.look(10);
    let refused = world.try_look(9).unwrap_err();
    assert!(matches!(refused, Refused::Backwards { .. }), "{refused}");
    let kept = Some(world.kept.clone());
    let resumed = Observations::resume(kept, "n1", "boot", Monotonic(60_000 * 9));
    assert_eq!(resumed, Observations::none("n1", "boot"));
}
