//! The map: one row for each grant.

use std::fmt;
use std::fmt::Write as _;

use anyhow::Result;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use testkit::rights::Grant;

use crate::classes::*;
use crate::scenarios::*;
use crate::scene::Scene;

/// A grant, what it is for, and what fails without it.
pub struct Row {
    /// As [`Grant`] shows itself.
    pub grant: &'static str,
    pub purpose: &'static str,
    /// The name of the function.
    pub scenario: &'static str,
    /// Whether what the grant is for comes about.
    pub run: for<'s> fn(&'s Scene<'_>) -> LocalBoxFuture<'s, Result<bool>>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.grant, self.scenario)
    }
}

macro_rules! rows {
    ($($grant:literal => $scenario:ident: $purpose:literal;)+) => {
        vec![$(Row {
            grant: $grant,
            purpose: $purpose,
            scenario: stringify!($scenario),
            run: |scene| $scenario(scene).boxed_local(),
        },)+]
    };
}

/// All rows, each a function of [`scenarios`].
pub fn rows() -> Vec<Row> {
    rows! {
        "get namespaces" => an_operator_without_a_cluster_id_starts:
            "the cluster id of an operator that is given none (the uid of kube-system); a namespace that was just made";
        "list namespaces" => the_operator_becomes_ready:
            "which namespaces there are, and their labels";
        "watch namespaces" => a_namespace_that_is_labelled_later_may_use_the_class:
            "what becomes of their labels: they say which classes a namespace may use";
        "create transcriptionclasses.transcribe-operator.io" => the_default_class_is_made:
            "the default class, where there is no class at all";
        "list transcriptionclasses.transcribe-operator.io" => the_operator_becomes_ready:
            "the classes that there are";
        "watch transcriptionclasses.transcribe-operator.io" => a_class_that_is_made_later_is_ready:
            "what becomes of the classes";
        "get transcriptionclasses.transcribe-operator.io" => a_class_that_was_just_made_is_found:
            "a class that a new job names, and that the watch has not told of yet";
        "patch transcriptionclasses.transcribe-operator.io" => a_class_has_the_finalizer:
            "the finalizer, on and off";
        "update transcriptionclasses.transcribe-operator.io/status" => a_class_says_whether_it_is_ready:
            "the status, fenced by the resourceVersion";
        "patch transcriptionclasses.transcribe-operator.io/status" => a_class_that_cannot_be_read_says_so:
            "the condition of a class that cannot be read";
        "list transcriptionjobs.transcribe-operator.io" => the_operator_becomes_ready:
            "the objects that there are, for the cache and for the sweeper";
        "watch transcriptionjobs.transcribe-operator.io" => a_job_that_is_made_later_is_seen:
            "what becomes of the objects";
        "get transcriptionjobs.transcribe-operator.io" => a_job_runs:
            "the quorum read before any effect";
        "patch transcriptionjobs.transcribe-operator.io" => a_job_has_the_finalizer:
            "the finalizer, on and off, and the annotation of the owner";
        "delete transcriptionjobs.transcribe-operator.io" => a_finished_job_goes_when_its_time_is_over:
            "`ttlSecondsAfterFinished`";
        "update transcriptionjobs.transcribe-operator.io/status" => the_status_says_what_is_submitted:
            "the status, fenced by the resourceVersion";
        "patch transcriptionjobs.transcribe-operator.io/status" => a_job_that_breaks_a_pass_says_so:
            "the conditions of an object that cannot be read or whose pass breaks";
        "get validatingwebhookconfigurations.admissionregistration.k8s.io transcribe-operator" =>
            the_webhook_knows_its_name:
            "under which name the API server calls the webhook, and what it trusts";
        "patch validatingwebhookconfigurations.admissionregistration.k8s.io transcribe-operator" =>
            the_api_server_trusts_the_webhook:
            "the `caBundle` of the webhook";
        "create secrets in transcribe" => the_webhook_has_an_authority:
            "the authority of the webhook's certificate; RBAC cannot limit a create by name";
        "get secrets transcribe-operator-webhook-ca in transcribe" => the_webhook_serves_a_certificate:
            "the same authority after a restart";
        "update secrets transcribe-operator-webhook-ca in transcribe" => a_spoilt_authority_is_replaced:
            "the renewal of that authority";
        "create events.events.k8s.io" => a_job_has_an_event:
            "Events";
        "patch events.events.k8s.io" => a_repeated_event_is_counted:
            "Events that repeat: their count";
    }
}

/// The map as a page.
pub fn document(mapped: &[(Grant, Option<Row>)]) -> String {
    let mut page = "<!-- Generated by `UPDATE_RBAC=1 cargo test --test rbac`; do not edit. -->
# The operator's rights in the cluster

What the chart grants the operator's service account, rule by rule, and the scenario of `tests/rbac` that fails when this one
right is taken away. The operator has no others, also in every other test. What is said of `transcriptionjobs` is given for
every kind of job, by one rule.

| Verb | Resource | Object | In | What for | Fails without it |
|---|---|---|---|---|---|
"
    .to_owned();
    for (grant, row) in mapped {
        let (purpose, scenario) = row.as_ref().map_or(("?", "?"), |row| (row.purpose, row.scenario));
        let object = if grant.name.is_empty() { "all" } else { &grant.name };
        let place = if grant.namespace.is_empty() {
            "the cluster"
        } else {
            "the release's namespace"
        };
        let (verb, resource) = (&grant.verb, grant.kind());
        writeln!(
            page,
            "| {verb} | `{resource}` | {object} | {place} | {purpose} | `{scenario}` |"
        )
        .unwrap();
    }
    page
}
