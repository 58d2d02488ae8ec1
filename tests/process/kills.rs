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

use crate::rig::{JOB, PATIENCE, Rig, SHORT_BOUND, START, until};

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
fn about(rig: &Rig, namespace: &str, uid: &str) -> Vec<Seen> {
    let part = format!("/namespaces/{namespace}/");
    let mut seen = rig.api.requests();
    seen.retain(|seen| seen.path.contains(&part));
    let aws = rig.aws.requests();
    let names = |seen: &Seen| String::from_utf8_lossy(&seen.body).contains(uid);
    let lists = |seen: &Seen| seen.operation.as_deref().is_some_and(|o| o.starts_with("List"));
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
    async fn learn(&self) -> (Vec<Seen>, Vec<Seen>) {
        let namespace = "fault-free";
        let uid = self.rig.submit(namespace).await;
        self.rig.complete(namespace).await;
        let end = |seen: &[Seen]| seen.iter().filter(|seen| seen.class == Class::Event).count() == 2;
        until(async || end(&about(&self.rig, namespace, &uid))).await;
        let submitted = about(&self.rig, namespace, &uid);
        self.rig.delete(namespace).await;
        self.rig.gone(namespace).await;
        let deleted = about(&self.rig, namespace, &uid).split_off(submitted.len());
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
    async fn create_armed(&self, place: &Place, moment: Moment, namespace: &str) -> (String, Active) {
        self.rig.namespace(namespace).await;
        if !place.of_aws() {
            let trap = self.arm(place, moment, namespace, "");
            return (self.rig.create(namespace).await, trap);
        }
        // AWS knows the object by its uid only, which exists once the object does: until then its first read is held.
        let reads = format!("/namespaces/{namespace}/transcriptionjobs/{JOB}$");
        let reads = Rule::new(Fault::Drop).method(Method::GET).path(&reads);
        let first = self.rig.api.hold(reads);
        let uid = self.rig.create(namespace).await;
        let trap = self.arm(place, moment, namespace, &uid);
        first.release();
        (uid, trap)
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

    async fn finished(&self, namespace: &str) -> bool {
        let job = self.rig.job(namespace).await;
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

    fn row(&mut self, family: &'static str, plan: Plan, about: (&str, &str), killed: bool, since: Instant) {
        let ((n, place, moment), (namespace, uid)) = (plan, about);
        self.rows.push(Row {
            family,
            n,
            place,
            moment,
            killed,
            starts: self.rig.starts(uid).len(),
            writes: writes(&self::about(&self.rig, namespace, uid)),
            took: since.elapsed(),
        });
    }

    /// Killed while it is submitted, up to its end.
    async fn submit(&mut self, places: &[Place]) {
        for (n, place, moment) in plans(places) {
            let since = Instant::now();
            let namespace = format!("submit-{n}-{}", moment.short());
            let (uid, trap) = self.create_armed(&place, moment, &namespace).await;
            let killed = self
                .sprung(&trap, async || self.finished(&namespace).await, async || {})
                .await;
            self.rig.complete(&namespace).await;
            self.row("submit", (n, place, moment), (&namespace, &uid), killed, since);
        }
    }

    /// Killed while it is deleted after its end. The objects are made all at once.
    async fn delete(&mut self, places: &[Place]) {
        let namespace = |n: usize, moment: Moment| format!("delete-{n}-{}", moment.short());
        let mut uids = Vec::new();
        for (n, _, moment) in plans(places) {
            uids.push(self.rig.submit(&namespace(n, moment)).await);
        }
        for (n, _, moment) in plans(places) {
            self.rig.complete(&namespace(n, moment)).await;
        }
        for ((n, place, moment), uid) in plans(places).zip(uids) {
            let since = Instant::now();
            let namespace = namespace(n, moment);
            let trap = self.arm(&place, moment, &namespace, &uid);
            self.rig.delete(&namespace).await;
            let gone = async || self.rig.job(&namespace).await.is_none();
            let killed = self.sprung(&trap, gone, async || {}).await;
            self.rig.gone(&namespace).await;
            self.row("delete", (n, place, moment), (&namespace, &uid), killed, since);
        }
    }

    /// Killed while it is submitted, and deleted before the operator is back. They leave side by side.
    async fn abandon(&mut self, places: &[Place]) {
        let mut leaving = Vec::new();
        for (n, place, moment) in plans(places) {
            let since = Instant::now();
            let namespace = format!("abandon-{n}-{}", moment.short());
            let (uid, trap) = self.create_armed(&place, moment, &namespace).await;
            let delete = async || self.rig.delete(&namespace).await;
            let killed = self
                .sprung(&trap, async || self.finished(&namespace).await, delete)
                .await;
            leaving.push(((n, place, moment), namespace, uid, killed, since));
        }
        for (plan, namespace, uid, killed, since) in leaving {
            self.rig.gone(&namespace).await;
            self.row("abandon", plan, (&namespace, &uid), killed, since);
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

const HEADING: &str = "\n  plan      n request                        nth kill             Starts writes     time";

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
            "  {:7} {:>3} {:30} {:>3} {:6} {:11} {:>6} {:>6} {:>5} ms",
            self.family,
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
    let (submitted, deleted) = run.learn().await;
    run.submit(&places(&submitted)).await;
    run.delete(&places(&deleted)).await;
    run.judge(writes(&submitted) + writes(&deleted)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_request_and_deleted_meanwhile_it_leaves_nothing() {
    let config = Config {
        run_ms: 100,
        signature_window_ms: 3000,
        ..Config::default()
    };
    let mut run = Run::start(config, SHORT_BOUND).await;
    let (submitted, deleted) = run.learn().await;
    let places = places(&submitted);
    run.abandon(&places).await;
    let start = places.iter().position(|place| place.what == START).unwrap() + 1;
    let lost = format!("abandon-{start}-after");
    run.rig.told(&lost, "the object waits until").await;
    run.judge(writes(&submitted) + writes(&deleted)).await;
    assert_eq!(run.rig.stage.sim.jobs(), []);
}
