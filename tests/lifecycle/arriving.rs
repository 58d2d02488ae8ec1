//! Nothing is stuck for ever: however an object is stored, once AWS is well it gets to its end, by its own requeues and the
//! sweeps alone.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use transcribe_operator::{
    api::{
        conditions::Reason,
        status::{JobStatus, SubmissionOutcome},
    },
    domain::{
        AwsErrorKind, KeyVerdict, ListSnapshot, Observation, Observed, Outcome, RemoteJob, Sighting, Step, look,
        requeue,
    },
};

use crate::{
    fixpoint::{World, config, world},
    world::{Case, HOUR, case, facts, fault, identity, now, tell, usable},
};

/// An Amazon Transcribe that is well: it accepts each name once, and each job takes three looks.
#[derive(Default)]
struct Aws(HashMap<String, RemoteJob>);

impl Aws {
    fn start(&mut self, name: &str, now: Timestamp) -> Outcome {
        if self.0.contains_key(name) {
            return Outcome::Started(Err(fault(AwsErrorKind::Conflict, "ConflictException")));
        }
        let queued = RemoteJob {
            creation_time: Some(now),
            ..facts("QUEUED")
        };
        self.0.insert(name.to_owned(), queued.clone());
        Outcome::Started(Ok(Box::new(queued)))
    }

    fn work(&mut self) {
        for job in self.0.values_mut().filter(|job| !job.terminal()) {
            let next = if job.job_status == "QUEUED" {
                "IN_PROGRESS"
            } else {
                "COMPLETED"
            };
            next.clone_into(&mut job.job_status);
        }
    }

    fn sweep(&self, now: Timestamp) -> ListSnapshot {
        let running = self.0.iter().filter(|(_, job)| !job.terminal());
        ListSnapshot {
            begun_at: now,
            running: running.map(|(name, job)| (name.clone(), job.clone())).collect(),
        }
    }

    fn get(&self, name: &str, as_of: Timestamp) -> Observation {
        match self.0.get(name).cloned().map(Box::new) {
            None => Observation::Absent { as_of },
            Some(facts) if facts.terminal() => Observation::Terminal { facts, as_of },
            Some(facts) => Observation::Running { facts, as_of },
        }
    }
}

/// What a pass sees of an AWS that is well.
fn observe(case: &Case, aws: &Aws, now: Timestamp) -> Case {
    let job = &case.seen.job;
    let sighting = Sighting::of(Some(&aws.sweep(now)), job.submission());
    let look = look(job, &case.desired, &sighting, &case.seen.limits, now);
    let listed = match sighting {
        Sighting::Listed { facts, as_of } => Observation::Running { facts, as_of },
        Sighting::None | Sighting::Left => case.seen.record.clone(),
    };
    let record = look.get.map_or(listed, |target| aws.get(&target.job_name, now));
    let key = look.key.map_or(KeyVerdict::NotNeeded, |_| usable());
    case.clone().seen(|seen| (seen.record, seen.key) = (record, key))
}

/// What a step does to the world and to the object.
fn act(case: &mut Case, aws: &mut Aws, step: &Step, now: Timestamp) -> Outcome {
    match step {
        Step::Submit(intent) => return aws.start(&intent.job_name, now),
        Step::DeleteRecord(target) => {
            aws.0.remove(&target.job_name);
            return Outcome::Deleted(Ok(()));
        }
        Step::AddFinalizer => {
            case.seen.job.has_finalizer = true;
            case.seen.job.owner_uid = Some(case.seen.job.uid.clone());
        }
        _ => {}
    }
    Outcome::Pending
}

/// The object's end, or that only a user gets it further.
fn arrived(case: &Case, step: &Step) -> bool {
    let job = &case.seen.job;
    match step {
        Step::RemoveFinalizer { .. } | Step::Expire => true,
        Step::Suspend => job.controls.suspend,
        Step::Stall(rejection) => rejection.reason == Reason::Restored,
        Step::NoOp { until: None } => job.finished() || (job.deleted.is_some() && !job.has_finalizer),
        Step::NoOp { until: Some(_) } => job.finished(),
        _ => false,
    }
}

/// As stored, but with an AWS, a leader and a class that are well.
fn well(World { kind, case: stored, .. }: &World) -> Case {
    let good = case().seen;
    let job = stored.seen.job.clone();
    Case {
        desired: Ok(crate::world::plain(*kind).clone()),
        seen: Observed { job, ..good },
    }
    .seen(|seen| seen.identity = Some(identity()))
}

/// What is in AWS at first: what an acknowledged job has, or a lost reply may have left.
fn first_records(case: &Case, record: &Observation) -> Aws {
    let mut aws = Aws::default();
    let (Some(submission), Observation::Running { facts, .. } | Observation::Terminal { facts, .. }) =
        (case.seen.job.submission(), record)
    else {
        return aws;
    };
    if submission.outcome != SubmissionOutcome::Refused {
        aws.0.insert(submission.job_name.clone(), (**facts).clone());
    }
    aws
}

fn too_far_ahead(status: &JobStatus) -> bool {
    status.submission.iter().any(|s| {
        let later = [&s.in_flight_until, &s.absent_since, &s.acknowledged_at];
        let mut times = later.into_iter().flatten().chain([&s.started_at]);
        times.any(|time| time.0 > now() + SignedDuration::from_secs(HOUR))
    })
}

/// A sweep wakes what rests and has news.
const SWEEP: Duration = Duration::from_secs(10);
/// A few waits for what could still arrive, a few attempts, and the steps between.
const PASSES: usize = 60;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_object_gets_to_its_end(world in world()) {
        let mut case = well(&world);
        if too_far_ahead(&case.seen.job.status) {
            return Ok(());
        }
        let mut aws = first_records(&case, &world.record);
        let (mut time, mut steps) = (now(), Vec::new());
        loop {
            let seen = observe(&case, &aws, time);
            let step = seen.plan_at(time);
            steps.push(tell(&step));
            if arrived(&case, &step) {
                break;
            }
            prop_assert!(steps.len() < PASSES, "{steps:#?}");
            let outcome = act(&mut case, &mut aws, &step, time);
            let after = seen.status_at(&step, &outcome, time);
            let back = requeue(&step, &after, time);
            let swept = after.submission.is_some().then_some(SWEEP);
            let news = back.or(swept);
            prop_assert!(news.is_some() || after != case.seen.job.status, "nothing wakes it: {steps:#?}");
            case.seen.job.status = after;
            time += SignedDuration::try_from(news.unwrap_or_default().max(Duration::from_millis(1))).unwrap();
            aws.work();
        }
    }
}
