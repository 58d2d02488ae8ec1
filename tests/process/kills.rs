//! SIGKILL at every request that the operator makes about an object, before the request is forwarded and after it was
//! answered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::Method;
use testkit::aws_sim::Config;
use testkit::fault_proxy::{Active, Class, Fault, Rule, Seen};
use testkit::operator::Operator;
use testkit::stage::condition;
use tokio::time::sleep;
use transcribe_operator::api::Kind;

use crate::rig::{JOB, Job, PATIENCE, Rig, SHORT_BOUND, namespace, start, until};

/// Writes of an object beyond those of a run without faults: a step that was killed before its status is done again.
const MORE_WRITES: usize = 2;

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

/// A read may come once more or once less from run to run: watches tell of the operator's own writes a little sooner or later.
fn may_be_missing(place: &Place) -> bool {
    place.what.starts_with("GET ") || place.what.starts_with("List") || place.what.ends_with(" events")
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

/// A rig, its operator, and what has been seen so far.
struct Run {
    rig: Rig,
    operator: Operator,
    rows: Vec<Row>,
}

/// One plan: the number of the request, which one it is, and when the operator dies.
type Plan = (usize, Place, Moment);

impl Run {
    async fn start(config: Config, args: &[&str]) -> Self {
        let rig = Rig::start(config).await;
        let operator = rig.operator(args).await;
        Self {
            rig,
            operator,
            rows: Vec::new(),
        }
    }

    /// The requests of a run without faults: of the submission until the end, and of the deletion.
    async fn learn(&self, kind: Kind) -> (Vec<Seen>, Vec<Seen>) {
        let job = self.rig.submit(kind, &namespace(kind, "fault-free")).await;
        self.rig.complete(&job).await;
        let end = |seen: &[Seen]| seen.iter().filter(|seen| seen.class == Class::Event).count() == 2;
        until(async || end(&about(&self.rig, &job))).await;
        let submitted = about(&self.rig, &job);
        self.rig.delete(&job).await;
        self.rig.gone(&job).await;
        let deleted = about(&self.rig, &job).split_off(submitted.len());
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
    async fn create_armed(&self, kind: Kind, place: &Place, moment: Moment, namespace: &str) -> (Job, Active) {
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

    /// Waits until the operator is dead, or for a moment longer than `done`; whether it died.
    async fn killed(&self, done: impl AsyncFn() -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        let mut last = None;
        while self.operator.exited().unwrap().is_none() {
            assert!(
                Instant::now() < end,
                "neither killed nor done\n{}",
                self.operator.log_tail()
            );
            if last.is_none() && done().await {
                last = Some(Instant::now() + Duration::from_millis(700));
            }
            if last.is_some_and(|last| Instant::now() > last) {
                return false;
            }
            sleep(Duration::from_millis(10)).await;
        }
        true
    }

    async fn finished(&self, job: &Job) -> bool {
        let job = self.rig.job(job).await;
        job.is_some_and(|job| condition(&job, "Finished").is_some())
    }

    /// Waits for the kill, takes the trap away and starts the operator again; whether it was killed.
    async fn sprung(&self, trap: &Active, done: impl AsyncFn() -> bool, meanwhile: impl AsyncFn()) -> bool {
        let killed = self.killed(done).await;
        trap.remove();
        meanwhile().await;
        if killed {
            self.operator.restart().unwrap();
        }
        killed
    }

    fn row(&mut self, family: &'static str, (n, place, moment): Plan, job: Job, killed: bool, since: Instant) {
        self.rows.push(Row {
            family,
            n,
            place,
            moment,
            killed,
            starts: self.rig.starts(&job),
            writes: writes(&about(&self.rig, &job)),
            took: since.elapsed(),
            job,
        });
    }

    /// Killed while it is submitted, up to its end.
    async fn submit(&mut self, kind: Kind, places: &[Place]) {
        for (n, place, moment) in plans(places) {
            let since = Instant::now();
            let namespace = named(kind, "submit", n, moment);
            let (job, trap) = self.create_armed(kind, &place, moment, &namespace).await;
            let killed = self
                .sprung(&trap, async || self.finished(&job).await, async || {})
                .await;
            self.rig.complete(&job).await;
            self.row("submit", (n, place, moment), job, killed, since);
        }
    }

    /// Killed while it is deleted after its end. The objects are made all at once.
    async fn delete(&mut self, kind: Kind, places: &[Place]) {
        let mut jobs = Vec::new();
        for (n, _, moment) in plans(places) {
            jobs.push(self.rig.submit(kind, &named(kind, "delete", n, moment)).await);
        }
        for job in &jobs {
            self.rig.complete(job).await;
        }
        for ((n, place, moment), job) in plans(places).zip(jobs) {
            let since = Instant::now();
            let trap = self.arm(&place, moment, &job.namespace, &job.uid);
            self.rig.delete(&job).await;
            let gone = async || self.rig.job(&job).await.is_none();
            let killed = self.sprung(&trap, gone, async || {}).await;
            self.rig.gone(&job).await;
            self.row("delete", (n, place, moment), job, killed, since);
        }
    }

    /// Killed while it is submitted, and deleted before the operator is back. They leave side by side.
    async fn abandon(&mut self, kind: Kind, places: &[Place]) {
        let mut leaving = Vec::new();
        for (n, place, moment) in plans(places) {
            let since = Instant::now();
            let namespace = named(kind, "abandon", n, moment);
            let (job, trap) = self.create_armed(kind, &place, moment, &namespace).await;
            let delete = async || self.rig.delete(&job).await;
            let killed = self.sprung(&trap, async || self.finished(&job).await, delete).await;
            leaving.push(((n, place, moment), job, killed, since));
        }
        for (plan, job, killed, since) in leaving {
            self.rig.gone(&job).await;
            self.row("abandon", plan, job, killed, since);
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
            assert!(row.killed || may_be_missing(&row.place), "{}", row.line());
        }
        let killed = self.rows.iter().filter(|row| row.killed).count();
        assert!(
            killed * 10 >= self.rows.len() * 9,
            "only {killed} of {}",
            self.rows.len()
        );
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_request_it_still_pays_once() {
    let config = Config {
        run_ms: 250,
        ..Config::default()
    };
    let mut run = Run::start(config, &[]).await;
    let mut most = 0;
    for kind in Kind::ALL.iter().copied() {
        let (submitted, deleted) = run.learn(kind).await;
        run.submit(kind, &places(&submitted)).await;
        run.delete(kind, &places(&deleted)).await;
        most = most.max(writes(&submitted) + writes(&deleted));
    }
    run.judge(most).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_request_and_deleted_meanwhile_it_leaves_nothing() {
    let config = Config {
        run_ms: 100,
        signature_window_ms: 3000,
        ..Config::default()
    };
    let mut run = Run::start(config, SHORT_BOUND).await;
    let mut most = 0;
    for kind in Kind::ALL.iter().copied() {
        let (submitted, deleted) = run.learn(kind).await;
        let places = places(&submitted);
        run.abandon(kind, &places).await;
        let start = places.iter().position(|place| place.what == start(kind)).unwrap() + 1;
        let lost = named(kind, "abandon", start, Moment::AfterTheReply);
        run.rig.told_of(kind, |of| of == lost, "the object waits until").await;
        most = most.max(writes(&submitted) + writes(&deleted));
    }
    run.judge(most).await;
    assert_eq!(run.rig.stage.sim.jobs(), []);
}
