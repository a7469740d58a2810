use proptest::prelude::*;

use super::*;

const BUCKET: [&str; 3] = ["", "other", ""];

fn life(second: i64, id: &str) -> Life {
    let created = Timestamp::from_second(second).unwrap();
    let id = id.to_owned();
    Life { created, id }
}

fn candidate(label: &str, second: i64, number: u64) -> Candidate<1> {
    Candidate {
        labels: vec![label.to_owned()],
        life: life(second, label),
        ended: false,
        cost: 10,
        numbers: [number],
    }
}

fn ended(of: Candidate<1>) -> Candidate<1> {
    Candidate { ended: true, ..of }
}

#[test]
fn what_does_not_fit_is_in_the_bucket_and_stays_there() {
    let mut shelf = Shelf::new(BUCKET);
    let [a, b, c] = [
        candidate("a", 1, 5),
        candidate("b", 2, 7),
        candidate("c", 3, 11),
    ];
    let (shown, cost) = shelf.sort(&[c.clone(), a, b.clone()], 25);
    assert_eq!(
        (shown, cost),
        (vec![1, 2], 20),
        "the oldest first, in the order of labels"
    );
    assert_eq!(shelf.other().map(|other| other.numbers), Some([11]));
    assert_eq!(shelf.dropped().budget, 10);

    let grown = candidate("c", 3, 15);
    let (shown, _) = shelf.sort(&[grown, b], 25);
    assert_eq!(
        shown,
        [1],
        "there is room, but it was counted in the bucket"
    );
    assert_eq!(shelf.other().map(|other| other.numbers), Some([15]));

    let (shown, _) = shelf.sort(&[candidate("d", 9, 1)], 25);
    assert_eq!(shown, [0], "one that comes later gets the room");
    assert_eq!(
        shelf.other().map(|other| other.numbers),
        Some([15]),
        "it never goes back"
    );
}

#[test]
fn who_is_shown_is_not_pushed_out_by_one_that_is_older() {
    let mut shelf = Shelf::new(BUCKET);
    shelf.sort(&[candidate("b", 5, 1)], 10);
    let (shown, _) = shelf.sort(&[candidate("a", 1, 1), candidate("b", 5, 1)], 10);
    assert_eq!(shown, [1]);
}

#[test]
fn case_35_of_two_with_one_name_the_old_one_retires_first() {
    let mut shelf = Shelf::new(BUCKET);
    shelf.sort(&[candidate("a", 1, 100)], 99);
    let old = ended(candidate("a", 1, 130));
    let (shown, _) = shelf.sort(&[old.clone(), candidate("a", 2, 3)], 99);
    assert_eq!(shown, [1]);
    assert_eq!(
        shelf.other().map(|other| other.numbers),
        Some([30]),
        "its last words count"
    );
    assert_eq!(
        shelf.dropped(),
        Dropped::default(),
        "that is as it should be"
    );
    shelf.sort(&[old, candidate("a", 2, 4)], 99);
    assert_eq!(shelf.other().map(|other| other.numbers), Some([30]));
}

#[test]
fn one_that_ended_before_anybody_looked_is_not_added_when_another_has_its_name() {
    let mut shelf = Shelf::new(BUCKET);
    let (shown, _) = shelf.sort(&[ended(candidate("a", 1, 9)), candidate("a", 2, 3)], 99);
    assert_eq!((shown, shelf.other()), (vec![1], None));
}

#[test]
fn two_that_live_with_one_name_are_told_of() {
    let mut shelf = Shelf::new(BUCKET);
    let (shown, _) = shelf.sort(&[candidate("a", 2, 3), candidate("a", 1, 9)], 99);
    assert_eq!(shown, [0], "the youngest");
    assert_eq!(shelf.other().map(|other| other.numbers), Some([9]));
    assert_eq!(shelf.dropped().duplicate, 10);
}

#[test]
fn nobody_has_the_labels_of_the_bucket() {
    let mut shelf = Shelf::new(BUCKET);
    let mut named = candidate("a", 1, 9);
    named.labels = BUCKET.map(str::to_owned).to_vec();
    assert!(shelf.sort(&[named], 99).0.is_empty());
    assert_eq!(shelf.other().map(|other| other.numbers), Some([9]));
}

#[test]
fn what_is_nobodys_is_added_once_however_often_it_goes_away_and_comes_back() {
    let mut shelf: Shelf<1> = Shelf::new(BUCKET);
    let nobody = life(0, "");
    let add = |shelf: &mut Shelf<1>, number| {
        shelf.add_to_other(&nobody, nobody.created, &[number]);
    };
    add(&mut shelf, 7);
    shelf.sort(&[], 0);
    shelf.sort(&[], 0);
    add(&mut shelf, 8);
    assert_eq!(shelf.other().map(|other| other.numbers), Some([8]));
}

proptest! {
    /// Rows come, grow, end and share names, with never enough room.
    #[test]
    fn what_is_shown_and_the_bucket_grow_by_what_was_counted(
        steps in prop::collection::vec(
            (prop::collection::vec((0..4_usize, 0..6_i64, 0..50_u64), 0..8), 0..50_usize), 1..12),
    ) {
        let mut shelf = Shelf::new(BUCKET);
        let mut totals: BTreeMap<(usize, i64), u64> = BTreeMap::new();
        let mut before: BTreeMap<Life, u64> = BTreeMap::new();
        let (mut other_before, mut owed) = (0, 0_i128);
        for (rows, room) in steps {
            let lives: BTreeMap<_, _> = rows.iter().map(|(name, at, n)| ((*name, *at), *n)).collect();
            let mut candidates = Vec::new();
            for ((name, at), grown) in lives {
                let total = totals.entry((name, at)).or_default();
                *total += grown;
                candidates.push(candidate(["a", "b", "c", "d"][name], at, *total));
            }
            let (shown, cost) = shelf.sort(&candidates, room);
            prop_assert!(cost <= room);
            let mut labels: Vec<_> = shown.iter().map(|at| &candidates[*at].labels).collect();
            labels.dedup();
            prop_assert_eq!(labels.len(), shown.len(), "one row for each set of labels");
            // A life is a row from when it is first seen until it is not seen; then it begins anew.
            let now: BTreeMap<Life, u64> =
                candidates.iter().map(|c| (c.life.clone(), c.numbers[0])).collect();
            let other = shelf.other().map_or(0, |other| other.numbers[0]);
            prop_assert!(other >= other_before);
            let in_bucket: i128 = candidates.iter().enumerate()
                .filter(|(at, _)| !shown.contains(at))
                .map(|(_, c)| i128::from(c.numbers[0] - before.get(&c.life).copied().unwrap_or(0)))
                .sum();
            owed += in_bucket;
            prop_assert_eq!(i128::from(other), owed);
            (other_before, before) = (other, now);
        }
    }
}
