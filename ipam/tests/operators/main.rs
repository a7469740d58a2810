//! What operators may rely on, checked on both stores: each claim in `claims` runs on a fresh
//! embedded store and on a fresh, real etcd.
//!
//! Needs the program `etcd` (Debian package `etcd-server`).
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: whatever is unexpected must fail loudly"
)]

mod claims;
#[path = "../allocate/support/mod.rs"]
#[expect(dead_code, reason = "the allocator's own claims use the rest of it")]
mod support;

etcd_testing::on_both_stores! {
    embedded: crate::support::Site::embedded,
    etcd: crate::support::Site::etcd,
    run: crate::support::block_on;
    pools:
        of_operators_who_make_overlapping_pools_at_once_exactly_one_wins,
        of_operators_who_extend_pools_into_each_other_at_once_exactly_one_wins,
        changes_at_once_lose_nothing,
        case_62_an_excluded_address_stays_with_its_holder_and_is_given_to_nobody_after,
        case_63_a_pool_is_deleted_only_from_draining_and_while_nothing_is_held,
        a_block_size_is_fixed_once_a_block_is_claimed,
        a_pool_that_changed_since_it_was_looked_at_is_not_deleted,
        an_address_that_is_taken_under_a_deletion_stops_it,
        unused_sticky_reservations_go_with_their_pool_and_an_operators_do_not,
        records_that_cannot_be_read_stand_in_the_way_of_a_deletion;
    reservations:
        a_reserved_address_is_given_to_nobody_else,
        a_held_address_is_refused_with_its_holder_unless_that_is_meant,
        operators_who_reserve_at_once_share_no_address,
        an_address_that_is_taken_meanwhile_is_replaced_by_another,
        nothing_is_reserved_of_a_pool_that_drains_meanwhile,
        a_large_set_is_consistent_wherever_it_is_interrupted,
        a_reservation_goes_only_while_nobody_holds_of_it_unless_that_is_meant,
        a_reservation_that_changed_since_it_was_looked_at_is_not_deleted,
        a_mark_that_no_reservation_lists_is_taken_off_by_deleting_it,
        a_reservation_that_cannot_be_read_is_left_alone;
    releases:
        a_release_grants_the_wish_and_keeps_reservation_and_history;
}
