use berth_store::{Lineage, LineageSeen, Revision};
use berth_types::{AddressRecord, AttachmentId, Holder, Incarnation, MacAddr};
use jiff::Timestamp;

use super::{Known, Present, SetBack, Verdict, Witness, judge_set_back};

const WITNESSED: u64 = 50;
const HIGH: u64 = 60;

fn id(container: &str) -> AttachmentId {
    format!("n1/pods/{container}/eth0").parse().unwrap()
}

fn witness() -> Witness {
    Witness {
        attachment: id("ours"),
        revision: Revision(WITNESSED),
    }
}

fn known() -> Known {
    Known {
        lineage: Some(Lineage::new("a")),
        revision: Revision(HIGH),
        witness: Some(witness()),
    }
}

/// A record whose holders these were, the last of them holding it still.
fn record(holders: &[&str]) -> AddressRecord {
    let unused = AddressRecord::unused("prod".parse().unwrap());
    holders.iter().fold(unused, |record, container| {
        record.released(Timestamp::UNIX_EPOCH).held_by(Holder {
            attachment: id(container),
            incarnation: Incarnation::from_random([1; 16]),
            pod: None,
            mac: MacAddr::of_address([10, 0, 0, 1].into()),
            since: Timestamp::UNIX_EPOCH,
        })
    })
}

fn present(attachment: u64, address: Option<(u64, AddressRecord)>, pool: u64) -> Present {
    Present {
        lineage: LineageSeen::One(Lineage::new("a")),
        revision: Revision(HIGH + 40),
        attachment: Revision(attachment),
        address: address.map(|(at, record)| (Revision(at), record)),
        pool: Revision(pool),
    }
}

#[test]
fn case_75_a_revision_that_went_back_is_a_store_set_back() {
    let lower = Present {
        revision: Revision(HIGH - 1),
        ..present(WITNESSED, Some((WITNESSED, record(&["ours"]))), 5)
    };
    let expected = SetBack::Lower {
        seen: Revision(HIGH),
        now: Revision(HIGH - 1),
    };
    assert_eq!(judge_set_back(&known(), &lower), Verdict::SetBack(expected));
    let equal = Present {
        revision: Revision(HIGH),
        ..lower
    };
    assert_eq!(judge_set_back(&known(), &equal), Verdict::Same);
}

#[test]
fn another_lineage_is_another_store_whatever_it_holds() {
    let [a, b] = ["a", "b"].map(Lineage::new);
    let replaced = || {
        Verdict::SetBack(SetBack::Replaced {
            known: a.clone(),
            now: b.clone(),
        })
    };
    let one = |lineage: &Lineage| LineageSeen::One(lineage.clone());
    let cases = [
        ("another", Some(a.clone()), one(&b), replaced()),
        ("the same", Some(a.clone()), one(&a), Verdict::Same),
        ("none was known", None, one(&b), Verdict::Same),
        (
            "none has answered",
            Some(a.clone()),
            LineageSeen::Nobody,
            Verdict::Same,
        ),
        (
            "two have",
            Some(a.clone()),
            LineageSeen::Several,
            Verdict::SetBack(SetBack::Mixed),
        ),
        (
            "two, none known",
            None,
            LineageSeen::Several,
            Verdict::SetBack(SetBack::Mixed),
        ),
    ];
    for (case, lineage, answered, expected) in cases {
        let known = Known { lineage, ..known() };
        let present = Present {
            lineage: answered,
            ..present(WITNESSED, Some((WITNESSED, record(&["ours"]))), 5)
        };
        assert_eq!(judge_set_back(&known, &present), expected, "case: {case}");
    }
}

const BEFORE: u64 = WITNESSED - 10;
const AFTER: u64 = WITNESSED + 10;

/// What the three keys of a witness may be: attachment, address, pool.
type Case = (&'static str, u64, Option<(u64, AddressRecord)>, u64);

fn all_are(expected: &Verdict, cases: impl IntoIterator<Item = Case>) {
    for (case, attachment, address, pool) in cases {
        let present = present(attachment, address, pool);
        assert_eq!(
            judge_set_back(&known(), &present),
            *expected,
            "case: {case}"
        );
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as a case has it")]
fn held(at: u64, holders: &[&str]) -> Option<(u64, AddressRecord)> {
    Some((at, record(holders)))
}

#[test]
fn a_witness_that_stands_proves_the_store() {
    let cases = [
        ("it stands", WITNESSED, held(WITNESSED, &["ours"]), 5),
        ("written again", AFTER, held(AFTER, &["ours"]), 5),
        (
            "again, its pool edited",
            AFTER,
            held(AFTER, &["ours"]),
            AFTER,
        ),
        ("its pool is gone", WITNESSED, held(WITNESSED, &["ours"]), 0),
    ];
    all_are(&Verdict::Same, cases);
}

#[test]
fn a_witness_whose_address_remembers_it_was_released() {
    let free = record(&["ours"]).released(Timestamp::UNIX_EPOCH);
    let cases = [
        ("free", 0, Some((AFTER, free)), 5),
        ("passed on", 0, held(AFTER, &["ours", "next"]), 5),
        ("had before as well", 0, held(AFTER, &["x", "ours", "y"]), 5),
    ];
    all_are(&Verdict::Released, cases);
}

/// The store's revision is above the old one again: bumped, or others wrote on.
#[test]
fn a_witness_whose_address_never_heard_of_it_was_forgotten() {
    let cases = [
        ("a stranger's since", 0, held(AFTER, &["next"]), 5),
        ("older life", BEFORE, held(AFTER, &["next"]), 5),
        ("a stranger's as of old", 0, held(BEFORE, &["next"]), 5),
        ("held by its older life", BEFORE, held(BEFORE, &["ours"]), 5),
        ("never held", 0, None, 5),
        ("older life, never held", BEFORE, None, 5),
        ("as of old, pool edited", 0, held(BEFORE, &["next"]), AFTER),
        ("as of old, no pool", 0, held(BEFORE, &["next"]), 0),
    ];
    all_are(&SetBack::Forgotten(witness()).into(), cases);
}

#[test]
fn a_witness_that_went_with_its_pool_tells_nothing() {
    let many = ["a", "b", "c", "d", "e"];
    let cases = [
        ("pool made anew", 0, None, AFTER),
        ("pool made anew, given", 0, held(AFTER, &["next"]), AFTER),
        ("pool gone", 0, None, 0),
        ("many holders since", 0, held(AFTER, &many), 5),
        ("taken out by hand", 0, held(WITNESSED, &["ours"]), 5),
    ];
    all_are(&Verdict::CannotTell, cases);
}

#[test]
fn a_node_that_knows_nothing_cannot_tell() {
    let fresh = present(0, None, 5);
    assert_eq!(
        judge_set_back(&Known::default(), &fresh),
        Verdict::CannotTell
    );
    let idle = Known {
        witness: None,
        ..known()
    };
    assert_eq!(judge_set_back(&idle, &fresh), Verdict::CannotTell);
}

#[test]
fn a_reason_names_both_sides() {
    let reasons = [
        (
            SetBack::Lower {
                seen: Revision(60),
                now: Revision(59),
            },
            ["60", "59"],
        ),
        (
            SetBack::Replaced {
                known: Lineage::new("aa"),
                now: Lineage::new("bb"),
            },
            ["aa", "bb"],
        ),
        (SetBack::Forgotten(witness()), ["n1/pods/ours/eth0", "50"]),
    ];
    for (reason, words) in reasons {
        let text = reason.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}
