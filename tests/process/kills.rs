//! SIGKILL at every request that the operator makes about an object, before the request is forwarded and after it was
//! answered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use http::Method;
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Active, Class, Fault, Rule, Seen};
use testkit::operator::Operator;
use testkit::wait::{self, Look};
use transcribe_operator::api::Kind;

use crate::rig::{JOB, Job, Rig, SHORT_BOUND, is_complete, namespace, short_bound, start, until};

/// Writes of an object beyond those of a run without faults: a step that was killed before its status is done again.
const MORE_WRITES: usize = 2;

/// How many jobs of a kind are started at once: half of what the operator grants to the kind with the least.
const AT_ONCE: usize = 4;

/// A request of the fault-free run: what it is, and the how-manieth of its sort about this object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    what: String,
    nth: usize,
}

/// Where in a request's life the operator dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    BeforeForwarding,
    AfterTheReply,
}

/// What became of one plan.
struct Row {
    family: &'static str,
    job: Job,
    n: usize,
    place: Place,
    moment: Moment,
    killed: bool,
    starts: usize,
    writes: usize,
    took: Duration,
}

/// `GET transcriptionjobs`, `PUT transcriptionjobs/status`, `POST events`, `StartTranscriptionJob`.
fn what(seen: &Seen) -> String {
    if let Some(operation) = &seen.operation {
        return operation.clone();
    }
    let status = if seen.class == Class::StatusWrite {
        "/status"
    } else {
        ""
    };
    format!("{} {}{status}", seen.method, seen.resource().unwrap_or_default())
}

impl Place {
    fn rule(&self, fault: Fault, namespace: &str, uid: &str) -> Rule {
        let Some((method, resource)) = self.what.split_once(' ') else {
            // Only a list does not name the job.
            let named = if self.what.starts_with("List") { "" } else { uid };
            return Rule::new(fault).operation(&self.what).body(named).nth(self.nth);
        };
        let (resource, subresource) = match resource.split_once('/') {
            Some((resource, _)) => (resource, "/status"),
            None => (resource, ""),
        };
        let path = format!("/namespaces/{namespace}/{resource}(/[^/]+)?{subresource}$");
        Rule::new(fault)
            .method(method.parse().unwrap())
            .path(&path)
            .nth(self.nth)
    }

    fn of_aws(&self) -> bool {
        !self.what.contains(' ')
    }

    /// How often the object is read differs from run to run: watches tell of the operator's own writes sooner or later. The
    /// first read comes in every run, and so does everything else.
    fn may_be_missing(&self) -> bool {
        self.what.starts_with("GET ") && self.nth > 1
    }
}

/// The requests about one object, in their order.
fn about(rig: &Rig, job: &Job) -> Vec<Seen> {
    let part = format!("/namespaces/{}/", job.namespace);
    let mut seen = rig.api.requests();
    seen.retain(|seen| seen.path.contains(&part));
    let aws = rig.aws.requests();
    let names = |seen: &Seen| String::from_utf8_lossy(&seen.body).contains(&job.uid);
    let list = format!("List{}s", job.kind);
    let lists = |seen: &Seen| seen.operation.as_ref() == Some(&list);
    seen.extend(aws.into_iter().filter(|seen| names(seen) || lists(seen)));
    seen.sort_by_key(|seen| seen.time);
    seen
}

/// Each request by its sort and its number; of the lists, which go on as long as a job runs, one round.
fn places(seen: &[Seen]) -> Vec<Place> {
    let mut counts = BTreeMap::<String, usize>::new();
    let numbered = seen.iter().map(|seen| {
        let count = counts.entry(what(seen)).or_default();
        *count += 1;
        Place {
            what: what(seen),
            nth: *count,
        }
    });
    numbered
        .filter(|place| !place.what.starts_with("List") || place.nth <= 2)
        .collect()
}

fn writes(seen: &[Seen]) -> usize {
    let writes = |seen: &&Seen| matches!(seen.class, Class::ObjectWrite | Class::StatusWrite);
    seen.iter().filter(writes).count()
}

/// Every place of a run, with every moment.
fn plans(places: &[Place]) -> impl Iterator<Item = (usize, Place, Moment)> {
    let moments = [Moment::BeforeForwarding, Moment::AfterTheReply];
    let plan = move |(n, place): (usize, &Place)| moments.map(|moment| (n + 1, place.clone(), moment));
    places.iter().enumerate().flat_map(plan).collect::<Vec<_>>().into_iter()
}

/// A rig for the jobs of one kind, its operator, and what has been seen so far.
struct Run {
    kind: Kind,
    rig: Rig,
    operator: Operator,
    rows: Vec<Row>,
}

/// One plan: the number of the request, which one it is, and when the operator dies.
type Plan = (usize, Place, Moment);

impl Run {
    async fn start(kind: Kind, rig: Rig, args: &[&str]) -> Self {
        let operator = rig.operator(args).await;
        Self {
            kind,
            rig,
            operator,
            rows: Vec::new(),
        }
    }

    /// The requests of a run without faults: of the submission until the end, and of the deletion.
    async fn learn(&self) -> (Vec<Seen>, Vec<Seen>) {
        let job = self.rig.submit(self.kind, &namespace(self.kind, "fault-free")).await;
        self.rig.complete(&job).await;
        let end = |seen: &[Seen]| seen.iter().filter(|seen| seen.class == Class::Event).count() >= 2;
        until("the Events of a job", async || end(&about(&self.rig, &job))).await;
        let submitted = about(&self.rig, &job);
        self.rig.delete(&job).await;
        self.rig.gone(&job).await;
        let mut deleted = about(&self.rig, &job).split_off(submitted.len());
        // A list that was still under way when the job had ended: no deletion needs one.
        deleted.retain(|seen| !what(seen).starts_with("List"));
        (submitted, deleted)
    }

    fn arm(&self, place: &Place, moment: Moment, namespace: &str, uid: &str) -> Active {
        let rule = place.rule(Fault::kill(self.operator.killer()), namespace, uid);
        let rule = match moment {
            Moment::BeforeForwarding => rule,
            Moment::AfterTheReply => rule.after(),
        };
        let proxy = if place.of_aws() { &self.rig.aws } else { &self.rig.api };
        proxy.add(rule)
    }

    /// Creates an object with the trap set before the operator gets to it.
    async fn create_armed(&self, place: &Place, moment: Moment, namespace: &str) -> (Job, Active) {
        let kind = self.kind;
        self.rig.namespace(namespace).await;
        if !place.of_aws() {
            let trap = self.arm(place, moment, namespace, "");
            return (self.rig.create(kind, namespace).await, trap);
        }
        // AWS knows the object by its uid only, which exists once the object does: until then its first read is held.
        let reads = format!("/namespaces/{namespace}/{}/{JOB}$", kind.plural());
        let reads = Rule::new(Fault::Drop).method(Method::GET).path(&reads);
        let first = self.rig.api.hold(reads);
        let job = self.rig.create(kind, namespace).await;
        let trap = self.arm(place, moment, namespace, &job.uid);
        first.release();
        (job, trap)
    }

    async fn complete(&self, job: &Job) -> bool {
        let job = self.rig.job(job).await;
        job.is_some_and(|job| is_complete(&job))
    }

    async fn gone(&self, job: &Job) -> bool {
        self.rig.job(job).await.is_none()
    }

    /// Waits for the kill, takes the trap away and starts the operator again. A request that need not come is waited for until
    /// all is over.
    async fn spring(&self, trap: &Active, place: &Place, over: impl AsyncFn() -> bool, meanwhile: impl AsyncFn()) {
        let killed = wait::until("the operator is killed, or all is over", async || {
            if self.operator.exited()?.is_some() {
                if trap.struck() > 0 {
                    return Ok(Look::Done(true));
                }
                // The trap before this one sprang while it was taken away.
                self.operator.restart()?;
            }
            if place.may_be_missing() && trap.struck() == 0 && over().await {
                return Ok(Look::Done(false));
            }
            Ok(Look::Not(self.operator.log_tail()))
        });
        let killed = killed.await.unwrap();
        trap.remove();
        meanwhile().await;
        if killed {
            self.operator.restart().unwrap();
        }
    }

    /// Waits until it is so, with an operator that runs: a trap may spring while it is taken away.
    async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let so = wait::until(what, async || {
            if self.operator.exited()?.is_some() {
                self.operator.restart()?;
            }
            Ok(Look::at(so().await, self.operator.log_tail()))
        });
        so.await.unwrap();
    }

    fn row(&mut self, family: &'static str, (n, place, moment): Plan, job: Job, trap: &Active, since: Instant) {
        self.rows.push(Row {
            family,
            n,
            place,
            moment,
            killed: trap.struck() > 0,
            starts: self.rig.starts(&job),
            writes: writes(&about(&self.rig, &job)),
            took: since.elapsed(),
            job,
        });
    }

    /// Killed while it is submitted, up to its end.
    async fn submit(&mut self, places: &[Place]) {
        for (n, place, moment) in plans(places) {
            let since = Instant::now();
            let namespace = named(self.kind, "submit", n, moment);
            let (job, trap) = self.create_armed(&place, moment, &namespace).await;
            self.spring(&trap, &place, async || self.complete(&job).await, async || {})
                .await;
            self.until("the job is complete", async || self.complete(&job).await)
                .await;
            self.row("submit", (n, place, moment), job, &trap, since);
        }
    }

    /// Killed while it is deleted after its end. The objects are made side by side, but not so many that one waits for its
    /// turn: it would say so, which is a write more.
    async fn delete(&mut self, places: &[Place]) {
        let submit = async |(n, _, moment): Plan| {
            let namespace = named(self.kind, "delete", n, moment);
            let job = self.rig.submit(self.kind, &namespace).await;
            self.until("the job is complete", async || self.complete(&job).await)
                .await;
            job
        };
        let mut jobs = Vec::new();
        for some in plans(places).collect::<Vec<_>>().chunks(AT_ONCE) {
            jobs.extend(join_all(some.iter().cloned().map(&submit)).await);
        }
        for ((n, place, moment), job) in plans(places).zip(jobs) {
            let since = Instant::now();
            let trap = self.arm(&place, moment, &job.namespace, &job.uid);
            self.rig.delete(&job).await;
            self.spring(&trap, &place, async || self.gone(&job).await, async || {})
                .await;
            self.until("the job is gone", async || self.gone(&job).await).await;
            self.row("delete", (n, place, moment), job, &trap, since);
        }
    }

    /// Killed while it is submitted, and deleted before the operator is back. They leave side by side.
    async fn abandon(&mut self, places: &[Place]) {
        let mut leaving = Vec::new();
        for (n, place, moment) in plans(places) {
            let since = Instant::now();
            let namespace = named(self.kind, "abandon", n, moment);
            let (job, trap) = self.create_armed(&place, moment, &namespace).await;
            let delete = async || self.rig.delete(&job).await;
            self.spring(&trap, &place, async || self.complete(&job).await, delete)
                .await;
            leaving.push(((n, place, moment), job, trap, since));
        }
        for (plan, job, trap, since) in leaving {
            self.until("the job is gone", async || self.gone(&job).await).await;
            self.row("abandon", plan, job, &trap, since);
        }
    }

    /// Everything was paid once or, where it was abandoned, at most once; and every plan came to its kill.
    async fn judge(&self, normal_writes: usize) {
        println!("{HEADING}");
        for row in &self.rows {
            println!("{}", row.line());
        }
        for row in &self.rows {
            let fine = if row.family == "abandon" { 0..=1 } else { 1..=1 };
            assert!(fine.contains(&row.starts), "{}", row.line());
            assert!(row.killed || row.place.may_be_missing(), "{}", row.line());
        }
        let killed = self.rows.iter().filter(|row| row.killed).count();
        println!("{killed} kills in {} plans", self.rows.len());
        self.rig.acquit(normal_writes + MORE_WRITES).await;
    }
}

const HEADING: &str = "\n  plan    kind                      n request                             nth kill             Starts writes     time";

/// The namespace of a plan.
fn named(kind: Kind, family: &str, n: usize, moment: Moment) -> String {
    namespace(kind, &format!("{family}-{n}-{}", moment.short()))
}

impl Moment {
    fn short(self) -> &'static str {
        match self {
            Self::BeforeForwarding => "before",
            Self::AfterTheReply => "after",
        }
    }
}

impl Row {
    fn line(&self) -> String {
        format!(
            "  {:7} {:23} {:>3} {:35} {:>3} {:6} {:11} {:>6} {:>6} {:>5} ms",
            self.family,
            self.job.kind.name(),
            self.n,
            self.place.what,
            self.place.nth,
            self.moment.short(),
            if self.killed { "killed" } else { "not reached" },
            self.starts,
            self.writes,
            self.took.as_millis()
        )
    }
}

/// All kinds at the same time, each on a stage of its own: what is killed for one kind disturbs no other, and the waiting of one
/// is the work of another.
async fn of_each_kind(run: impl AsyncFn(Kind)) {
    join_all(Kind::ALL.iter().map(|kind| run(*kind))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_request_it_still_pays_once() {
    of_each_kind(async |kind| {
        let config = Config {
            run_ms: 250,
            ..Config::default()
        };
        let mut run = Run::start(kind, Rig::for_kinds(&[], config).await, &[]).await;
        let (submitted, deleted) = run.learn().await;
        run.submit(&places(&submitted)).await;
        run.delete(&places(&deleted)).await;
        run.judge(writes(&submitted) + writes(&deleted)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_request_and_deleted_meanwhile_it_leaves_nothing() {
    of_each_kind(async |kind| {
        let rig = Rig::for_kinds(&[kind], short_bound()).await;
        let mut run = Run::start(kind, rig, SHORT_BOUND).await;
        let (submitted, deleted) = run.learn().await;
        let places = places(&submitted);
        run.abandon(&places).await;
        let start = places.iter().position(|place| place.what == start(kind)).unwrap() + 1;
        let lost = named(kind, "abandon", start, Moment::AfterTheReply);
        run.rig.told_of(kind, |of| of == lost, "the object waits until").await;
        run.judge(writes(&submitted) + writes(&deleted)).await;
        assert_eq!(run.rig.stage.sim.jobs(), []);
    })
    .await;
}
