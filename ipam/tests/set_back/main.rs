//! A store set back for real: etcd restored from a snapshot, the embedded store's file copied back.
//!
//! Needs `etcd` and `etcdctl` (Debian packages `etcd-server` and `etcd-client`).
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: whatever is unexpected must fail loudly"
)]

#[path = "../allocate/support/basics.rs"]
mod basics;
mod closure;
mod drill;
mod flaky;
mod noticing;
mod republish;
mod server;
mod site;
mod whose;

/// Makes one test of every claim for each store.
macro_rules! on_both_stores {
    ($($group:ident: $($claim:ident),+;)+) => {
        mod embedded {
            $(mod $group { $(
                #[test]
                fn $claim() {
                    let mut site = crate::site::Site::embedded();
                    crate::site::block_on(crate::$group::$claim(&mut site));
                }
            )+ })+
        }
        mod etcd {
            $(mod $group { $(
                #[test]
                fn $claim() {
                    let mut site = crate::site::Site::etcd();
                    crate::site::block_on(crate::$group::$claim(&mut site));
                }
            )+ })+
        }
    };
}

on_both_stores! {
    closure:
        a_closed_store_gives_nothing_to_anybody,
        the_first_closure_stands,
        a_store_opens_when_every_node_has_answered,
        a_node_that_appears_stops_the_opening,
        a_dead_node_is_not_waited_for,
        a_dead_node_that_comes_back_is_known_and_republishes,
        answers_to_an_earlier_closure_do_not_count;
    drill:
        who_allocates_first_after_a_restore_closes_the_store,
        also_when_the_revisions_were_bumped,
        a_claim_that_was_made_in_another_store_is_given_back,
        when_all_have_republished_nothing_is_given_twice,
        a_dead_node_that_returns_is_refused_alone;
    noticing:
        case_75_a_store_set_back_is_noticed_by_its_revision,
        a_store_set_back_and_bumped_is_noticed_by_its_witness,
        a_witness_released_by_an_operator_is_no_set_back;
    republish:
        complaint_22_what_lives_is_written_back_and_nothing_is_given_twice,
        an_open_store_has_nothing_to_be_told,
        an_address_given_to_another_is_told_and_left,
        conflicts_may_be_left_to_the_operator,
        what_ended_here_makes_way_for_what_lives,
        a_lost_pool_is_asked_for,
        a_killed_add_whose_namespace_lives_holds_the_answer_back,
        an_add_at_work_is_waited_for,
        an_unreadable_record_holds_the_answer_back,
        releases_that_waited_are_made_first,
        it_may_be_cut_off_anywhere_and_run_again,
        a_store_opened_meanwhile_is_not_written_to,
        what_changed_meanwhile_is_decided_anew,
        an_idle_node_answers_and_forgets_what_it_believed,
        another_networks_attachments_are_left_out;
    whose:
        case_76_another_machine_of_that_name_answers_nothing_until_it_adopts,
        case_76_a_clone_with_everything_on_its_disk_is_refused,
        a_dead_node_of_no_known_machine_stays_dead_when_it_is_adopted,
        an_adoption_is_made_only_on_what_was_shown;
}
