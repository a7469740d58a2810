//! Planted histories, one for each promise that can be broken.

use berth_types::{Holder, Incarnation, MacAddr, PoolName, SchemaVersion};
use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::torture::history::Event;

fn life(container: &str, number: u8) -> Life {
    Life {
        attachment: format!("n1/pods/{container}/eth0").parse().unwrap(),
        incarnation: Incarnation::from_random([number; 16]),
    }
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 20, 1, last])
}

fn add(life: &Life) -> Event {
    wish(life, Wish::Any)
}

fn wish(life: &Life, wish: Wish) -> Event {
    Event::Add {
        life: life.clone(),
        wish,
    }
}

fn given(last: u8) -> Event {
    Event::Given {
        addresses: vec![address(last)],
        memory: Value::Null,
    }
}

fn del(life: &Life) -> Event {
    Event::Del { life: life.clone() }
}

fn deleted() -> Event {
    Event::Deleted {
        how: "freed".to_owned(),
    }
}

fn not_given() -> Event {
    Event::NotGiven {
        why: "away".to_owned(),
    }
}

/// Events at 10, 20, 30, … ns for each worker, beginning at `from`.
fn history<const N: usize>(from: u64, events: [Event; N]) -> Vec<Line> {
    let events = events.into_iter().chain([Event::Ended]);
    let line = |(n, event)| Line {
        at_ns: from + 10 * n,
        op: n,
        event,
    };
    (0..).zip(events).map(line).collect()
}

fn stored(live: &[(&Life, u8)]) -> Stored {
    let mut stored = Stored::default();
    let pool: PoolName = "prod".parse().unwrap();
    for (life, last) in live {
        let address = address(*last);
        let record = AddressRecord::unused(pool.clone()).held_by(Holder {
            attachment: life.attachment.clone(),
            incarnation: life.incarnation.clone(),
            pod: None,
            mac: MacAddr::of_address(address),
            since: Timestamp::UNIX_EPOCH,
        });
        stored.addresses.insert(address, record);
        let record = AttachmentRecord {
            v: SchemaVersion,
            addresses: vec![address],
            pod: None,
            netns: None,
            node_id: "0".repeat(32).parse().unwrap(),
            incarnation: life.incarnation.clone(),
            phase: Phase::Live,
        };
        stored.attachments.insert(life.attachment.clone(), record);
    }
    stored
}

fn rules() -> Rules {
    Rules {
        usable: (2..100).map(address).collect(),
        reserved: [("web".to_owned(), [address(90)].into())].into(),
    }
}

fn verdict<const N: usize>(histories: [Vec<Line>; N], end: &Stored) -> Vec<Violation> {
    let named = (0..).zip(histories);
    let histories = named.map(|(n, lines): (usize, _)| (format!("w{n}"), lines));
    check(&histories.collect(), end, &rules())
}

#[test]
fn what_a_correct_allocator_does_is_accepted() {
    let [a1, a2, b1, c1] = [life("a", 1), life("a", 2), life("b", 3), life("c", 4)];
    let again = Event::Again { life: a1.clone() };
    let late = Event::LateDel { life: a1.clone() };
    let first = history(
        0,
        [
            add(&a1),
            given(5),
            again,
            given(5),
            add(&a2),
            given(5),
            late,
            deleted(),
        ],
    );
    let second = history(5, [add(&b1), given(6), del(&b1), deleted()]);
    let third = history(
        100,
        [
            wish(&c1, Wish::Reserved("web".to_owned())),
            given(90),
            del(&c1),
            deleted(),
        ],
    );
    assert_eq!(verdict([first, second, third], &stored(&[(&a2, 5)])), []);
}

#[test]
fn an_address_that_lives_twice_is_seen_also_inside_a_longer_life() {
    let [a, b, c] = [life("a", 1), life("b", 2), life("c", 3)];
    let long = history(0, [add(&a), given(5)]);
    let short = history(20, [add(&b), given(5), del(&b), deleted()]);
    let later = history(200, [add(&c), given(5), del(&c), deleted()]);
    let found = verdict([long, short, later], &stored(&[(&a, 5)]));
    let twice = |second: &Life, at_ns| Violation::TwiceLive {
        address: address(5),
        first: Box::new(a.clone()),
        second: Box::new(second.clone()),
        at_ns,
    };
    assert_eq!(found, [twice(&b, 30), twice(&c, 210)]);
}

#[test]
fn a_life_ends_when_its_del_is_called_and_not_when_it_is_answered() {
    let [a, b] = [life("a", 1), life("b", 2)];
    let first = history(0, [add(&a), given(5), del(&a), deleted()]);
    let second = history(15, [add(&b), given(5), del(&b), deleted()]);
    assert_eq!(verdict([first, second], &Stored::default()), []);
}

#[test]
fn what_is_held_by_nobody_alive_has_leaked() {
    let a = life("a", 1);
    for events in [
        [add(&a), given(5), del(&a), deleted()],
        [add(&a), not_given(), del(&a), deleted()],
    ] {
        let found = verdict([history(0, events)], &stored(&[(&a, 5)]));
        let leaked = Violation::Leaked {
            address: address(5),
            holder: Box::new(a.clone()),
        };
        assert_eq!(found, [leaked]);
    }
}

#[test]
fn a_live_address_that_the_store_gives_to_nobody_or_another_is_lost() {
    let [a, b] = [life("a", 1), life("b", 2)];
    let histories = || [history(0, [add(&a), given(5)])];
    let lost = Violation::Lost {
        address: address(5),
        life: Box::new(a.clone()),
    };
    let found = verdict(histories(), &Stored::default());
    assert_eq!(found, std::slice::from_ref(&lost));
    let found = verdict(histories(), &stored(&[(&b, 5)]));
    assert!(found.contains(&lost) && found.len() == 2, "{found:?}");
    // An older life of the same container is another.
    let found = verdict(histories(), &stored(&[(&life("a", 9), 5)]));
    assert!(found.contains(&lost) && found.len() == 2, "{found:?}");
}

#[test]
fn records_that_do_not_agree_are_seen_from_either_side() {
    let a = life("a", 1);
    let histories = || [history(0, [add(&a), given(5)])];
    let disagree = |last| Violation::Disagree {
        attachment: Box::new(a.attachment.clone()),
        address: address(last),
    };
    let mut end = stored(&[(&a, 5)]);
    end.attachments.clear();
    assert_eq!(verdict(histories(), &end), [disagree(5)]);
    let mut end = stored(&[(&a, 5)]);
    let record = end.attachments.get_mut(&a.attachment).unwrap();
    record.addresses.push(address(6));
    assert_eq!(verdict(histories(), &end), [disagree(6)]);
    let mut end = stored(&[(&a, 5)]);
    end.attachments.get_mut(&a.attachment).unwrap().phase = Phase::Deleted;
    assert_eq!(verdict(histories(), &end), [disagree(5)]);
}

#[test]
fn only_what_is_wished_and_may_be_given_is_given() {
    let [a, b] = [life("a", 1), life("b", 2)];
    let one = |wished: Wish, last| {
        let lines = history(0, [wish(&a, wished), given(last), del(&a), deleted()]);
        verdict([lines], &Stored::default())
    };
    let not_givable = |last| Violation::NotGivable {
        address: address(last),
        life: Box::new(a.clone()),
    };
    assert_eq!(one(Wish::Any, 1), [not_givable(1)], "the gateway");
    assert_eq!(one(Wish::Any, 90), [not_givable(90)], "reserved");
    let exact = Wish::Exact(address(90));
    assert_eq!(one(exact, 90), [not_givable(90)], "reserved");
    let mismatched = [
        (Wish::Exact(address(7)), 8),
        (Wish::Reserved("web".to_owned()), 8),
        (Wish::Reserved("db".to_owned()), 90),
    ];
    for (wish, last) in mismatched {
        let wrong = Violation::NotWished {
            address: address(last),
            life: Box::new(a.clone()),
            wish: wish.clone(),
        };
        assert_eq!(one(wish, last), [wrong]);
    }
    let sticky = |life, from, last| {
        let wish = wish(life, Wish::Sticky("web-0".to_owned()));
        history(from, [wish, given(last), del(life), deleted()])
    };
    let stays = verdict([sticky(&a, 0, 7), sticky(&b, 100, 7)], &Stored::default());
    assert_eq!(stays, []);
    let moves = verdict([sticky(&a, 0, 7), sticky(&b, 100, 8)], &Stored::default());
    assert!(matches!(moves.as_slice(), [Violation::NotWished { .. }]));
    let taken = history(100, [add(&b), given(7), del(&b), deleted()]);
    let taken = verdict([sticky(&a, 0, 7), taken], &Stored::default());
    assert!(matches!(taken.as_slice(), [Violation::NotGivable { .. }]));
}

#[test]
fn the_same_add_must_answer_the_same() {
    let a = life("a", 1);
    let again = Event::Again { life: a.clone() };
    let lines = history(0, [add(&a), given(5), again, given(6)]);
    let found = verdict([lines], &stored(&[(&a, 5)]));
    assert_eq!(found, [Violation::Moved(Box::new(a))]);
}

#[test]
fn a_history_without_an_end_and_a_record_without_a_meaning_are_told() {
    let mut lines = history(0, [add(&life("a", 1))]);
    lines.pop();
    let end = Stored {
        unreadable: vec!["k".to_owned()],
        ..Stored::default()
    };
    let expected = [
        Violation::Unfinished("w0".to_owned()),
        Violation::Unreadable("k".to_owned()),
    ];
    assert_eq!(verdict([lines], &end), expected);
}
