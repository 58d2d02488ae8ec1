//! The faults are over: whatever has happened, the world must come to rest, and as promised.

use std::collections::HashSet;

use transcribe_operator::{api::status::JobStatus, domain::Step};

use crate::{
    explore::Hasher,
    invariants::{Broken, Invariant},
    mutants::Mutant,
    shipped::{Info, Outcome, Question, Shipped, Swept},
    subject::untimed,
    transition::{move_to, old_records, pass_time, store, stored_uids, sweep_away, without_object},
    world::{ATTEMPTS, AwsError, Budget, GarbageCollector, Pass, Phase, Process, Reply, Seen, Slot, State, history},
};

/// The next pass follows only a change of the object.
const ASLEEP: u8 = u8::MAX;

/// A world without faults. The passes over each object come when `requeue`, a change or a sweep says so.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Calm {
    state: State,
    wakes_in: [u8; 2],
}

/// The calm worlds that are known to come to rest.
#[derive(Default)]
pub struct Settled(HashSet<Calm, Hasher>);

impl Settled {
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Lets the world come to rest, and looks at it then.
pub fn settle(shipped: &mut Shipped, from: &State, known: &mut Settled) -> Option<Broken> {
    let mut state = from.clone();
    state.processes = [Process::Idle; 2];
    state.strays = Default::default();
    state.sweeper = GarbageCollector::Idle;
    state.budget = Budget::NONE;
    state.cache = [None; 2];
    if shipped.config.identity_returns {
        state.identity = [0; 2];
    }
    let wakes_in = state.objects.map(|slot| if slot.id().is_some() { 0 } else { ASLEEP });
    let mut calm = Calm { state, wakes_in };
    let mut path: Vec<Calm> = Vec::new();
    let mut story = Vec::new();
    loop {
        if known.0.contains(&calm) {
            break;
        }
        if let Some(begin) = path.iter().position(|earlier| *earlier == calm) {
            if let Some(broken) = judge_cycle(shipped, &path[begin..]) {
                return Some(told(broken, story));
            }
            break;
        }
        path.push(calm.clone());
        match step(shipped, &mut calm, &mut story) {
            Ok(()) => {}
            Err(broken) => return Some(told(broken, story)),
        }
    }
    known.0.extend(path);
    None
}

fn told(mut broken: Broken, story: Vec<String>) -> Broken {
    broken.trace = story;
    broken
}

/// The world goes round: nothing but time may change on the way.
fn judge_cycle(shipped: &mut Shipped, cycle: &[Calm]) -> Option<Broken> {
    let first = &cycle[0].state;
    let objects = shown(shipped, first);
    let changes = |calm: &Calm| calm.state.records != first.records || shown(shipped, &calm.state) != objects;
    if cycle.iter().any(changes) {
        return Some(Broken::new(Invariant::Rest, "the object is written again and again"));
    }
    judge(shipped, first)
}

/// The objects without what [`untimed`] leaves out.
fn shown(shipped: &Shipped, state: &State) -> [Option<JobStatus>; 2] {
    state
        .objects
        .map(|slot| Some(untimed(&shipped.object(slot.id()?).status)))
}

/// One pass that is due, or a tick.
fn step(shipped: &mut Shipped, calm: &mut Calm, story: &mut Vec<String>) -> Result<(), Broken> {
    for slot in 0..2 {
        if calm.state.objects[slot].id().is_some() && calm.wakes_in[slot] == 0 {
            return pass(shipped, calm, slot, story);
        }
    }
    for account in 0..2 {
        for name in 0..6 {
            let record = calm.state.records[account][name].filter(|r| !r.foreign);
            match record.map(|r| r.phase) {
                Some(Phase::Queued) => move_to(&mut calm.state, account, name, Phase::Running),
                Some(Phase::Running) => move_to(&mut calm.state, account, name, Phase::Completed),
                Some(Phase::Completed | Phase::Failed) | None => {}
            }
        }
    }
    pass_time(shipped, &mut calm.state);
    for slot in 0..2 {
        if calm.wakes_in[slot] != ASLEEP {
            calm.wakes_in[slot] = calm.wakes_in[slot].saturating_sub(1);
        }
        if calm.state.objects[slot].id().is_some() && left_the_sweep(shipped, &calm.state, slot) {
            calm.wakes_in[slot] = 0;
        }
    }
    if shipped.config.sweeper {
        let names = without_object(old_records(shipped, &calm.state), stored_uids(shipped, &calm.state));
        for name in (0..6).filter(|n| names & (1 << n) != 0) {
            if let Some(broken) = sweep_away(shipped, &mut calm.state, name) {
                return Err(broken);
            }
        }
    }
    Ok(())
}

const fn process_of(shipped: &Shipped, slot: usize) -> usize {
    if shipped.config.cluster_ids.len() > 1 { slot } else { 0 }
}

/// What a sweep that begins now says of an object's job.
fn swept(shipped: &Shipped, state: &State, slot: usize) -> Option<Swept> {
    let p = process_of(shipped, slot);
    let info = shipped.info(state.objects[slot].id()?);
    if info.attempt == 0 {
        return None;
    }
    let name = shipped.config.uid_of(slot) * ATTEMPTS + usize::from(info.attempt) - 1;
    let record = state.records[usize::from(state.identity[p])][name];
    Some(Swept {
        begun: shipped.config.clocks[p],
        listed: record.filter(|r| !r.phase.terminal()),
    })
}

/// The engine wakes an object whose job is no longer listed.
fn left_the_sweep(shipped: &mut Shipped, state: &State, slot: usize) -> bool {
    let Some(id) = state.objects[slot].id() else {
        return false;
    };
    let p = process_of(shipped, slot);
    let sweep = swept(shipped, state, slot);
    let follows = shipped.info(id).finished.is_none();
    follows
        && shipped
            .look(id, u8::try_from(p).unwrap(), state.binding, state.identity[p], sweep)
            .left
}

/// A whole pass, without a fault.
fn pass(shipped: &mut Shipped, calm: &mut Calm, slot: usize, story: &mut Vec<String>) -> Result<(), Broken> {
    let state = &mut calm.state;
    let view = state.objects[slot].id().unwrap();
    let p = process_of(shipped, slot);
    let question = question(shipped, state, slot);
    let id = shipped.plan(question);
    let decision = shipped.pass(id).clone();
    let pass = Pass {
        slot,
        id,
        age: 0,
        stale: false,
    };
    let mut after = decision.pending;
    let mut broken = None;
    match &decision.step {
        Step::Submit(_) => {
            broken = broken.or(store(shipped, state, slot, decision.pending));
            let (name, account) = (decision.name.unwrap(), decision.account);
            let reply = if state.records[account][name].is_some() {
                Reply::Conflict
            } else {
                broken = broken.or(crate::transition::apply(shipped, state, decision.account, name));
                Reply::Accepted
            };
            after = shipped.report(pass, decision.pending, reply);
        }
        Step::DeleteRecord(_) => {
            let (name, account) = (decision.name.unwrap(), decision.account);
            let reply = match state.records[account][name] {
                None => Reply::DeleteAbsent,
                Some(record) if !record.phase.terminal() => Reply::DeleteBusy,
                Some(record) => {
                    if record.foreign {
                        broken = Some(Broken::new(
                            Invariant::HandsOff,
                            "the operator deletes a record that is not ours",
                        ));
                    }
                    state.records[account][name] = None;
                    Reply::Deleted
                }
            };
            after = shipped.report(pass, view, reply);
        }
        Step::AddFinalizer => {
            after = shipped.changed(view, |job| {
                job.has_finalizer = true;
                job.owner_uid = Some(job.uid.clone());
            });
        }
        Step::RemoveFinalizer { .. } => {
            state.objects[slot] = Slot::Gone;
            story.push(format!("process {p}: {}", brief(&decision.step)));
            calm.wakes_in[slot] = ASLEEP;
            return Ok(());
        }
        Step::Expire => after = shipped.changed(view, |job| job.deleted = Some(crate::clock::at(0))),
        _ => {}
    }
    story.push(format!(
        "process {p}: {} -> {}",
        brief(&decision.step),
        shipped.describe(after)
    ));
    if after == view {
        let wait = shipped.requeue(id, after);
        if wait == Some(0) {
            return Err(Broken::new(
                Invariant::Rest,
                "a pass that changes nothing comes back at once",
            ));
        }
        calm.wakes_in[slot] = wait.unwrap_or(ASLEEP);
    } else {
        broken = broken.or(store(shipped, state, slot, after));
        calm.wakes_in[slot] = 0;
    }
    broken.map_or(Ok(()), Err)
}

/// The first words of a step.
pub fn brief(step: &Step) -> String {
    match step {
        Step::Wait(wait) => format!("Wait({})", wait.reason.as_str()),
        Step::Fail(rejection) => format!("Fail({})", rejection.reason.as_str()),
        Step::Stall(rejection) => format!("Stall({})", rejection.reason.as_str()),
        Step::Submit(intent) => format!("Submit(#{})", intent.attempt),
        step => {
            let text = format!("{step:?}");
            text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
        }
    }
}

fn question(shipped: &mut Shipped, state: &State, slot: usize) -> Question {
    let view = state.objects[slot].id().unwrap();
    let p = process_of(shipped, slot);
    let (process, identity) = (u8::try_from(p).unwrap(), state.identity[p]);
    let sweep = swept(shipped, state, slot);
    let looked = shipped.look(view, process, state.binding, identity, sweep);
    let (mut seen, mut as_of) = (looked.known, looked.as_of);
    if let Some((name, account)) = looked.get {
        as_of = shipped.config.clocks[p];
        seen = if account == usize::from(identity) {
            let record = state.records[account][name];
            record.map_or(Seen::Absent, |record| Seen::Found {
                record,
                tags: shipped.config.tags,
            })
        } else {
            Seen::OtherIdentity
        };
    }
    Question {
        view,
        process,
        binding: state.binding,
        identity,
        seen,
        as_of,
    }
}

/// What the world must be like at rest.
fn judge(shipped: &mut Shipped, state: &State) -> Option<Broken> {
    for slot in 0..2 {
        let names = names_of(shipped, slot);
        match state.objects[slot] {
            Slot::Never => {}
            Slot::Gone => {
                if shipped.config.clone && state.objects[1 - slot].id().is_some() {
                    continue;
                }
                // In another account the record is out of reach; an event has named it.
                let here = &state.records[usize::from(state.identity[0])];
                let left = names.iter().any(|n| here[*n].is_some_and(|r| !r.foreign));
                if left && !shipped.config.retain {
                    return Some(Broken::new(
                        Invariant::NothingLeaked,
                        "the object is gone, but a record of it is left",
                    ));
                }
                if shipped.config.retain
                    && let Some(broken) = still_there(state, &names)
                {
                    return Some(broken);
                }
            }
            Slot::WatchedJob(id) => {
                let info = shipped.info(id).clone();
                let broken = ended(shipped, state, slot, &info, &names).or_else(|| {
                    let live = !info.deleted && shipped.config.cluster_ids.len() == 1 && !shipped.config.clone;
                    live.then(|| still_there(state, &names)).flatten()
                });
                if broken.is_some() {
                    return broken;
                }
                let question = question(shipped, state, slot);
                if shipped.mutant.is_none()
                    && let Err(what) = shipped.rests(question)
                {
                    return Some(Broken::new(Invariant::Rest, what));
                }
            }
        }
    }
    None
}

fn names_of(shipped: &Shipped, slot: usize) -> Vec<usize> {
    let uid = shipped.config.uid_of(slot);
    (uid * ATTEMPTS..(uid + 1) * ATTEMPTS).collect()
}

/// Records that are needed, and that nobody else took away, are there.
fn still_there(state: &State, names: &[usize]) -> Option<Broken> {
    let taken = names.iter().any(|n| {
        let h = state.history[*n];
        let there = state.records.iter().any(|account| account[*n].is_some());
        h & history::APPLIED != 0 && h & history::VANISHED == 0 && !there
    });
    taken.then(|| Broken::new(Invariant::HandsOff, "a record was deleted that is still needed"))
}

/// The object ended as its job did, or rests as its spec says.
fn ended(shipped: &Shipped, state: &State, slot: usize, info: &Info, names: &[usize]) -> Option<Broken> {
    let lost = |what: String| Some(Broken::new(Invariant::NothingLost, what));
    if info.deleted {
        return lost("the deletion never ends".to_owned());
    }
    let past = |attempt: usize, bit: u8| attempt > 0 && state.history[names[attempt - 1]] & bit != 0;
    let attempt = usize::from(info.attempt);
    let may = |fault: AwsError| shipped.config.faults.of(fault) > 0;
    let other_cluster = shipped.config.cluster_ids.len() > 1 || shipped.config.clone;
    let config = shipped.config;
    // A copy of a finished object is finished.
    if slot == 1 && attempt == 0 && info.finished.is_some() {
        return None;
    }
    if let Some(reason) = &info.finished {
        let fair = match reason.as_str() {
            "Completed" => past(attempt, history::COMPLETED),
            "JobFailed" => {
                let failures = names
                    .iter()
                    .filter(|n| state.history[**n] & history::FAILED != 0)
                    .count();
                past(attempt, history::FAILED) && failures > config.backoff_limit
            }
            "RecordLost" => past(attempt, history::VANISHED) || (other_cluster && past(attempt, history::APPLIED)),
            "NameConflict" => past(attempt, history::FOREIGN),
            "StartDeadlineExceeded" => {
                config.start_deadline.is_some() && names.iter().all(|n| state.history[*n] & history::APPLIED == 0)
            }
            // A further attempt that is refused ends the job.
            "Refused" => attempt > 1 && may(AwsError::Refuse),
            "NoClass" | "AccessDenied" => attempt >= 1 && may(AwsError::Binding),
            _ => false,
        };
        let running = attempt > 0
            && past(attempt, history::APPLIED)
            && reason != "Completed"
            && !past(attempt, history::FAILED | history::VANISHED);
        return if !fair || (running && !other_cluster && !past(attempt, history::FOREIGN)) {
            lost(format!("the object ended as {reason}, but its job did not"))
        } else {
            None
        };
    }
    let begun =
        past(attempt, history::APPLIED) && info.outcome != Some(Outcome::Ended) && !past(attempt, history::VANISHED);
    if begun && info.account == usize::from(state.identity[0]) {
        return lost("the job was started, but the object never shows its end".to_owned());
    }
    let refused = matches!(
        config.bindings[usize::from(state.binding)],
        crate::configurations::Binding::NoClass | crate::configurations::Binding::KeyRefused
    );
    let rests = (info.suspended && info.shows_suspended)
        || (info.stalled.is_some() && refused)
        || (info.copied && info.stalled.as_deref() == Some("Restored"))
        || (attempt > 0 && info.account != usize::from(state.identity[0]));
    if rests || shipped.is(Mutant::NoFence) {
        return None;
    }
    lost("the object never ends".to_owned())
}
