//! What the allocator promises, checked on both stores: each claim in `claims` runs on a fresh
//! embedded store and on a fresh, real etcd. Then what only etcd has, and 64 processes at once.
//!
//! Needs the program `etcd` (Debian package `etcd-server`).
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: whatever is unexpected must fail loudly"
)]

mod claims;
mod etcd_only;
mod processes;
mod support;

etcd_testing::on_both_stores! {
    embedded: crate::support::Site::embedded,
    etcd: crate::support::Site::etcd,
    run: crate::support::block_on;
    giving:
        what_is_given_is_written_down_and_what_is_released_is_remembered,
        a_released_address_is_given_again_last,
        an_allocation_is_one_request_and_so_is_a_release,
        case_64_every_address_is_given_once_whosever_block_it_is_in,
        a_pool_that_is_extended_gives_again,
        a_draining_pool_gives_nothing,
        a_pool_for_others_gives_nothing,
        a_closed_store_gives_nothing,
        a_pool_that_is_not_there_is_named,
        a_claim_that_was_refused_is_made_again;
    lives:
        the_same_incarnation_gets_the_same_address,
        a_new_life_keeps_the_address_and_the_old_one_cannot_free_it,
        an_address_kept_for_one_pod_is_not_passed_on_to_another,
        a_second_release_does_nothing,
        a_late_release_does_not_touch_the_next_holder,
        a_life_in_another_pool_gives_up_the_old_address;
    exact:
        the_address_asked_for_is_given,
        an_address_of_somebody_else_is_refused_with_its_holder,
        an_address_that_is_never_given_is_not_in_the_pool,
        a_reserved_address_is_refused,
        asking_for_another_address_gives_up_the_old_one;
    stale_hints:
        a_lost_or_garbled_hint_costs_nothing_but_a_look,
        an_address_another_node_took_is_passed_over,
        an_address_the_operator_released_is_given_once,
        a_block_another_node_claimed_is_left_to_it,
        a_pool_made_anew_with_other_blocks_gives_addresses,
        a_hint_that_says_everything_is_free_makes_no_duplicate,
        hints_that_cannot_be_kept_cost_requests_and_nothing_else;
    answers:
        a_lost_answer_is_asked_for_again,
        after_a_lost_answer_every_error_is_an_unknown_outcome,
        a_lost_answer_takes_no_address_from_a_container_that_is_started_again,
        a_container_id_that_another_pod_uses_again_leaves_history,
        answers_that_stay_lost_are_told_and_a_release_frees_what_was_taken;
    journal:
        releases_wait_for_the_store_and_are_made_in_order,
        a_late_note_without_a_life_frees_no_later_one,
        a_late_note_of_an_unfinished_life_frees_no_later_one,
        a_waiting_release_of_an_unfinished_life_frees_the_one_before,
        a_full_journal_takes_no_more,
        a_release_that_waits_is_not_made_when_its_attachment_lives_again,
        a_release_that_waits_is_not_made_while_somebody_drains,
        a_release_that_cannot_be_made_does_not_hold_up_the_others,
        a_note_that_cannot_be_read_is_kept_and_passed_over,
        releases_that_are_refused_do_not_use_up_every_turn,
        a_release_waits_for_its_own_store_under_any_of_its_names;
    unfinished:
        what_a_killed_add_took_is_freed,
        a_transaction_that_comes_after_its_release_takes_nothing,
        nor_does_that_of_a_second_life,
        the_record_in_its_way_is_removed_when_it_is_due,
        an_attachment_lives_again_over_that_record,
        and_also_when_it_is_removed_meanwhile,
        a_claim_that_the_next_add_forgot_takes_nothing;
    foreign_records:
        addresses_that_cannot_be_read_are_left_alone,
        an_attachment_that_cannot_be_read_is_left_alone,
        a_block_that_cannot_be_read_is_somebody_elses,
        a_release_leaves_alone_what_cannot_be_read;
    dual_stack:
        one_of_each_family_is_one_request,
        when_one_family_is_used_up_nothing_is_left_behind,
        a_pool_of_the_newer_family_alone_gives_one_address,
        a_killed_claim_of_both_takes_neither;
    sticky:
        a_pod_gets_its_address_again_on_whichever_node,
        pods_of_one_name_and_interfaces_of_one_pod_have_their_own,
        the_longest_forsaken_is_given_up_only_when_the_pool_is_full,
        a_pod_that_moves_to_another_pool_leaves_its_address,
        what_its_pool_gives_no_more_is_replaced_and_the_rest_stays,
        two_nodes_that_keep_it_at_once_keep_one;
    take_over:
        a_new_sandbox_takes_both_addresses_of_the_one_it_ended,
        a_sandbox_that_cannot_be_ended_keeps_its_address,
        an_address_that_was_waited_for_is_doubtful_until_nobody_answers,
        a_caller_that_asks_only_for_unproven_addresses_takes_anothers_word,
        what_was_heard_is_noted_only_while_the_address_is_ours,
        another_interface_never_takes_over,
        doubtful_addresses_come_last_and_only_while_nobody_answers;
    reservations:
        pods_of_a_workload_draw_from_its_set_until_it_is_used_up,
        one_of_the_set_may_be_asked_for_and_none_outside,
        a_container_that_is_started_again_leaves_what_is_not_of_the_set,
        what_is_reserved_is_never_given_to_others,
        a_doubtful_address_of_the_set_is_given_last_and_to_those_who_can_ask,
        a_reservation_deleted_meanwhile_gives_nothing_that_is_anothers;
    pool_lists:
        pools_are_tried_in_order_and_the_error_counts_those_that_are_full,
        an_exclusion_reaches_every_nodes_next_allocation,
        a_rested_address_of_anothers_block_comes_before_ones_own_resting,
        a_hint_of_another_release_counts_as_none;
    costs:
        each_way_costs_no_more_than_the_table_says;
    kills:
        killed_before_or_after_any_transaction_nothing_stays,
        lost_answers_change_nothing;
    crowds:
        sixty_four_tasks_of_one_node_get_different_addresses,
        eight_tasks_on_each_of_eight_nodes_get_different_addresses,
        containers_come_and_go_on_three_nodes;
}
