//! What a store promises, checked on both: the claims in `claims` run on each in a fresh store;
//! several processes race; processes are killed; answers are lost. Then what is peculiar to one
//! store: a cluster's endpoints and certificates, a folder's limits and owners.
//!
//! Needs the program `etcd` (Debian package `etcd-server`) and, for one test, root.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: whatever is unexpected must fail loudly"
)]

mod claims;
mod embedded_damage;
mod embedded_only;
mod etcd_only;
mod etcd_tls;
mod fixture;
mod jobs;
mod model;
mod processes;
mod proxy;
mod worker;

use std::time::Duration;

use fixture::Fixture;

etcd_testing::on_both_stores! {
    embedded: crate::Fixture::embedded, etcd: crate::Fixture::etcd, run: crate::block_on;
    reading:
        a_key_that_was_never_written_is_absent,
        a_list_is_in_key_order_and_keeps_to_its_range,
        odd_ranges_hold_what_they_say,
        several_reads_answer_in_their_order_at_one_revision,
        whoever_asks_a_store_sees_one_lineage,
        a_list_of_20_000_keys_is_whole_and_of_one_revision,
        large_values_come_back_unchanged;
    transactions:
        a_commit_is_seen_with_its_revision,
        a_key_that_changed_fails_the_compare,
        none_newer_sees_what_was_written_later,
        none_newer_does_not_see_a_deletion,
        none_newer_holds_for_a_range_without_keys,
        every_compare_must_hold,
        a_refused_transaction_writes_nothing_and_takes_no_revision,
        a_refusal_reads_all_at_one_revision,
        puts_and_deletions_happen_in_one_revision,
        a_range_is_deleted_at_once,
        a_transaction_without_writes_answers_its_compares,
        revisions_are_never_used_twice,
        what_is_out_of_bounds_is_rejected;
    watching:
        changes_come_in_order_and_by_whole_revisions,
        a_watch_sees_only_its_range,
        a_watch_resumes_where_it_was_left,
        two_watches_see_the_same,
        a_watch_waits_for_what_is_yet_to_come,
        a_watch_of_history_no_longer_kept_says_so;
}

/// Runs `future` as the programs do: on the calling thread, with I/O and timers. A minute is far
/// more than any of the tests needs.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let limited = async { tokio::time::timeout(Duration::from_mins(1), future).await };
    runtime
        .expect("runtime")
        .block_on(limited)
        .expect("the test takes longer than a minute")
}
