//! The life of a job as its tenant sees it: the operator that ships, a real API server with kubectl, and a simulated AWS.
//!
//! Every scenario looks at both sides: what the object says, and what the ledger of the AWS side holds. Most of them share
//! one stage, each in a namespace of its own and with faults that strike its own job only; those that need settings of their
//! own bring a stage of their own.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    reason = "test code"
)]

mod controls;
mod deletion;
mod happy;
mod keys;
mod kinds;
mod poison;
mod records;
mod refusals;
mod requests;
#[path = "../crds/samples.rs"]
#[allow(dead_code, clippy::unwrap_in_result, reason = "the tests of the CRDs use more of it")]
mod samples;
mod scene;
mod silence;
mod sweeper;
mod trouble;

use std::sync::LazyLock;

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// How many shares of a core there are. A scenario waits most of its time, so that one share each is enough for most.
const SHARES: usize = 8;
/// The shares of a scenario on a stage that others use too.
const LIGHT: usize = 1;
/// The shares of a scenario that starts a control plane of its own.
const STAGE: usize = 2;
/// The shares of a scenario with many objects.
const HEAVY: usize = 4;

/// All clients and simulators live here: a shared stage outlives the scenario that started it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
/// The shares that the scenarios have together, so that the machine is not asked for more than it has.
static BUDGET: LazyLock<(usize, Semaphore)> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shares = (SHARES * cores).max(HEAVY);
    (shares, Semaphore::new(shares))
});

/// Each scenario, with its shares before its name.
macro_rules! scenarios {
    ($($module:ident: $($shares:ident $name:ident),+;)+) => {
        vec![$($(trial(concat!(stringify!($module), "::", stringify!($name)), $shares, || $module::$name()),)+)+]
    };
}

fn main() -> anyhow::Result<()> {
    let mut args = Arguments::from_args();
    let scenarios = scenarios! {
        keys:
            HEAVY each_key_and_permission_is_judged_at_apply_and_before_the_start,
            STAGE a_fault_of_kms_admits_with_a_warning_and_is_waited_out,
            STAGE what_changes_between_apply_and_submission_is_seen_before_the_start,
            STAGE what_changes_between_intent_and_recovery_submits_no_other_key,
            STAGE edits_and_deletions_are_judged_only_where_they_ask_anew,
            STAGE a_misspelt_encryption_is_warned_about,
            STAGE a_webhook_that_is_attacked_stays_within_its_bounds_and_takes_a_new_certificate;
        controls:
            LIGHT a_suspended_job_is_submitted_when_it_is_resumed_and_not_before,
            LIGHT suspending_a_submitted_job_says_that_it_comes_too_late,
            LIGHT a_throttled_job_fails_at_its_start_deadline_and_nothing_is_billed,
            LIGHT a_stalled_job_fails_at_its_start_deadline_too,
            LIGHT a_finished_job_goes_when_its_time_to_live_is_over_and_its_record_with_it,
            LIGHT a_time_to_live_that_is_added_to_a_finished_job_counts_from_its_end,
            LIGHT a_failure_that_may_pass_is_run_anew_as_a_second_job,
            LIGHT a_job_that_fails_as_often_as_allowed_is_failed_and_both_records_go_with_it,
            LIGHT a_failure_that_the_same_media_meets_again_is_not_repeated,
            LIGHT a_submission_without_a_reply_is_taken_back_only_when_it_can_no_longer_arrive,
            LIGHT a_deadline_that_strikes_while_a_reply_is_lost_fails_the_job_only_when_nothing_can_arrive,
            LIGHT the_annotation_reconcile_at_makes_the_operator_look_at_a_running_job_once;
        deletion:
            LIGHT a_job_that_was_never_submitted_goes_at_once_and_aws_is_not_asked,
            LIGHT a_job_that_aws_refused_goes_at_once,
            LIGHT a_job_whose_reply_was_lost_waits_out_the_bound_and_leaves_nothing_behind,
            LIGHT a_running_job_goes_after_the_longest_wait_and_an_event_names_the_record_that_is_left,
            LIGHT a_running_job_that_ends_while_it_is_deleted_takes_its_record_along,
            LIGHT a_completed_job_takes_its_record_along_at_once,
            LIGHT a_retained_record_outlives_its_object,
            LIGHT an_object_that_is_made_anew_under_its_name_is_another_job,
            LIGHT a_job_that_aws_does_not_answer_about_says_so_and_goes_all_the_same,
            LIGHT a_record_that_aws_does_not_delete_at_first_is_deleted_by_and_by,
            LIGHT a_record_that_aws_never_lets_go_is_left_and_asked_for_sparingly,
            LIGHT a_vanished_record_does_not_hold_up_a_deletion,
            STAGE a_namespace_with_jobs_in_many_phases_can_be_deleted;
        happy:
            LIGHT a_job_with_a_key_runs_once_and_its_status_says_how,
            LIGHT a_job_without_a_key_says_that_its_output_is_encrypted_with_sse_s3,
            LIGHT every_member_of_the_request_arrives_in_aws_as_the_manifest_says,
            LIGHT the_request_of_a_submitted_job_is_frozen_and_the_refusal_says_what_to_do;
        kinds:
            LIGHT each_runs_once_with_its_key_and_takes_its_record_along,
            LIGHT each_that_aws_fails_says_why_and_is_run_anew_where_that_may_help,
            LIGHT a_summary_that_was_skipped_is_accounted_for,
            LIGHT running_jobs_of_every_kind_are_followed_by_sweeps_alone;
        poison:
            HEAVY poisoned_objects_say_so_can_be_deleted_and_do_not_hold_up_the_others;
        records:
            LIGHT a_record_that_vanished_is_looked_for_again_and_then_the_job_is_lost_and_not_repeated,
            LIGHT a_foreign_job_under_our_name_is_neither_adopted_nor_deleted,
            LIGHT a_record_of_our_name_and_tags_that_is_older_than_the_object_is_not_ours,
            LIGHT a_copied_object_submits_nothing_until_its_annotation_is_removed;
        refusals:
            LIGHT a_key_that_does_not_exist_stalls_until_an_edit_names_one_that_does,
            LIGHT a_key_of_another_region_stalls_and_says_which_region_is_needed,
            LIGHT a_class_that_does_not_exist_stalls_and_the_message_names_the_one_that_does,
            LIGHT a_role_that_the_class_does_not_allow_stalls_until_it_is_left_out,
            LIGHT what_aws_refuses_stalls_and_is_submitted_once_it_is_corrected,
            LIGHT denied_access_stalls_in_awss_words_and_a_look_on_demand_submits,
            LIGHT throttling_is_backpressure_with_a_reason_and_no_failure,
            LIGHT media_that_is_too_long_stalls_while_others_are_admitted_and_can_be_replaced;
        requests:
            HEAVY each_example_runs_under_the_class_of_the_examples_as_it_is_written,
            HEAVY every_member_of_every_kind_is_asked_for_as_it_is_written;
        silence:
            STAGE finished_held_and_stalled_objects_cost_nothing_not_even_after_a_restart,
            STAGE a_job_costs_few_requests_and_calls_and_a_running_one_none_of_its_own;
        sweeper:
            STAGE orphans_are_removed_after_the_bound_and_everything_else_stays,
            STAGE a_record_whose_object_went_before_its_end_is_removed_when_it_has_ended,
            STAGE a_list_that_breaks_off_removes_nothing;
        trouble:
            STAGE with_credentials_of_another_account_nothing_is_lost_and_with_the_right_ones_it_goes_on,
            STAGE with_a_wrong_clock_nothing_is_submitted_and_with_the_right_one_it_is,
            STAGE while_aws_cannot_be_reached_jobs_wait_and_say_so_and_then_run_once,
            STAGE an_endpoint_that_refuses_connections_is_proven_unsent_and_tried_again,
            STAGE an_api_server_that_restarts_holds_jobs_up_and_loses_none;
    };
    // Each has a thread, on which it waits for its shares.
    args.test_threads.get_or_insert(scenarios.len());
    let conclusion = libtest_mimic::run(&args, scenarios);
    let paid_twice = scene::paid_twice();
    anyhow::ensure!(paid_twice.is_empty(), "{paid_twice:#?}");
    conclusion.exit();
}

fn trial<F>(name: &str, shares: usize, scenario: impl Fn() -> F + Send + Sync + 'static) -> Trial
where
    F: Future<Output = anyhow::Result<()>>,
{
    Trial::test(name, move || {
        let done = RUNTIME.block_on(async {
            let (all, budget) = &*BUDGET;
            let shares = u32::try_from(shares.min(*all))?;
            let _held = budget.acquire_many(shares).await?;
            scenario().await
        });
        done.map_err(|error| format!("{error:#}").into())
    })
}
