//! The log, on a real disk.

use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::thread;

use berth_store::Revision;
use berth_types::{Incarnation, Record as _, SchemaVersion};
use jiff::{Timestamp, ToSpan as _};
use tempfile::TempDir;

use super::log::Log;
use super::{Change, What};

const DAY: i64 = 24;

fn noon(hours: i64) -> Timestamp {
    let first: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    first.checked_add(hours.hours()).unwrap()
}

fn change(last: u8, revision: u64, at: Timestamp) -> Change {
    Change {
        v: SchemaVersion,
        at,
        address: IpAddr::from([10, 20, 1, last]),
        pool: "prod".parse().unwrap(),
        attachment: "n1/pods/0f3a/eth0".parse().unwrap(),
        incarnation: Incarnation::from_random([1; 16]),
        pod: None,
        what: What::Held,
        revision: Revision(revision),
    }
}

fn revisions(log: &Log, last: u8) -> Vec<u64> {
    let changes = log.changes(IpAddr::from([10, 20, 1, last])).unwrap();
    changes.map(|change| change.unwrap().revision.0).collect()
}

#[test]
fn changes_come_back_newest_first_across_days() {
    let folder = TempDir::new().unwrap();
    let log = Log::below(folder.path());
    assert!(revisions(&log, 1).is_empty(), "nothing was written yet");
    for n in 0..6 {
        let at = noon(DAY * i64::try_from(n / 2).unwrap());
        log.append(&change(1, n, at));
        log.append(&change(11, 100 + n, at));
    }
    assert_eq!(revisions(&log, 1), [5, 4, 3, 2, 1, 0]);
    assert_eq!(log.files().unwrap().len(), 3, "one file a day");
}

#[test]
fn a_line_cut_short_is_passed_over_and_hides_no_other() {
    let folder = TempDir::new().unwrap();
    let log = Log::below(folder.path());
    log.append(&change(1, 1, noon(0)));
    let path = log.files().unwrap()[0].path.clone();
    let torn = change(1, 2, noon(0)).encode();
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&torn[..torn.len() - 5]).unwrap();
    log.append(&change(1, 3, noon(0)));
    file.write_all(b"\xff\n{\"v\":2,\"address\":\"10.20.1.1\"}\n")
        .unwrap();
    log.append(&change(1, 4, noon(0)));
    assert_eq!(revisions(&log, 1), [4, 3, 1]);
}

#[test]
fn a_month_is_kept_and_nothing_else_is_removed() {
    let folder = TempDir::new().unwrap();
    let log = Log::below(folder.path());
    log.append(&change(1, 0, noon(0)));
    fs::write(folder.path().join("history/note"), "mine").unwrap();
    log.append(&change(1, 1, noon(30 * DAY)));
    assert_eq!(revisions(&log, 1), [1, 0]);
    log.append(&change(1, 2, noon(31 * DAY)));
    assert_eq!(revisions(&log, 1), [2, 1]);
    assert!(folder.path().join("history/note").exists());
}

#[test]
fn a_day_of_many_changes_is_bounded_and_loses_the_oldest() {
    let folder = TempDir::new().unwrap();
    let line = u64::try_from(change(1, 100, noon(0)).encode().len() + 1).unwrap();
    let log = Log::bounded(folder.path(), line * 10, line * 50);
    for revision in 100..300 {
        log.append(&change(1, revision, noon(0)));
    }
    let left = revisions(&log, 1);
    let expected: Vec<u64> = (300 - u64::try_from(left.len()).unwrap()..300)
        .rev()
        .collect();
    assert_eq!(left, expected);
    assert!((40..=60).contains(&left.len()), "{}", left.len());
}

#[test]
fn many_writers_lose_no_line() {
    let folder = TempDir::new().unwrap();
    let line = u64::try_from(change(1, 1000, noon(0)).encode().len() + 1).unwrap();
    let log = Log::bounded(folder.path(), line * 100, u64::MAX);
    thread::scope(|scope| {
        for writer in 0..8 {
            let log = log.clone();
            scope.spawn(move || {
                for n in 0..200 {
                    log.append(&change(1, 1000 * (writer + 1) + n, noon(0)));
                }
            });
        }
    });
    let mut got = revisions(&log, 1);
    got.sort_unstable();
    let expected = (1..=8).flat_map(|writer| (0..200).map(move |n| 1000 * writer + n));
    assert_eq!(got, expected.collect::<Vec<_>>());
}

#[test]
fn a_log_that_cannot_be_written_fails_nobody() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("history"), "not a folder").unwrap();
    let log = Log::below(folder.path());
    log.append(&change(1, 1, noon(0)));
    assert!(log.changes(IpAddr::from([10, 20, 1, 1])).is_err());
}
