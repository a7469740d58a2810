//! Freeing what is leaked, on both stores: each claim runs on a fresh embedded store and on a
//! fresh, real etcd.
//!
//! Needs the program `etcd` (Debian package `etcd-server`).
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: whatever is unexpected must fail loudly"
)]

mod claims;
mod observer;
#[path = "../allocate/support/mod.rs"]
#[expect(dead_code, reason = "tests/allocate uses the rest")]
mod support;

/// Makes one test of every claim for each store.
macro_rules! on_both_stores {
    ($($claim:ident),+ $(,)?) => {
        mod embedded {
            $(
                #[test]
                fn $claim() {
                    let site = crate::support::Site::embedded();
                    crate::support::block_on(crate::claims::$claim(&site));
                }
            )+
        }
        mod etcd {
            $(
                #[test]
                fn $claim() {
                    let site = crate::support::Site::etcd();
                    crate::support::block_on(crate::claims::$claim(&site));
                }
            )+
        }
    };
}

on_both_stores! {
    what_is_leaked_is_freed_in_one_request_and_what_lives_is_not,
    evidence_from_outside_leaves_a_mark,
    a_reservation_stands_and_a_wish_is_granted,
    an_attachment_keeps_the_address_that_is_not_freed,
    a_new_life_keeps_its_address,
    a_release_is_not_made_twice,
    what_an_operator_took_away_is_left_alone,
    each_record_is_compared_by_itself,
    a_store_that_was_closed_meanwhile_frees_nothing,
    old_evidence_frees_nothing,
    what_changed_is_skipped_and_the_rest_freed,
    of_two_observers_one_frees,
    a_lost_answer_is_seen_by_the_next_pass,
    a_node_reads_what_it_needs,
}
