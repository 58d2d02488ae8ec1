//! What can happen next.

use transcribe_operator::{api::status::Submission, domain::Step};

use crate::{
    invariants::{Broken, Invariant, can_land},
    mutants::Mutant,
    shipped::{Decision, ObjectId, Outcome, Question, Shipped, Swept},
    subject::UIDS,
    world::{
        ATTEMPTS, Account, AwsError, GarbageCollector, NAMES, Name, Observation, Pass, Phase, Process, Reply, Seen,
        Slot, State, history,
    },
};

/// What happened, for the trace.
#[derive(Clone, Copy, Debug)]
pub enum Label {
    Begin,
    Tick,
    Reads {
        process: usize,
        slot: usize,
        sweep: Option<Swept>,
    },
    Gets {
        process: usize,
        seen: Seen,
    },
    Plans {
        process: usize,
    },
    WritesFirst {
        process: usize,
    },
    LosesRace {
        process: usize,
    },
    AsksToDelete {
        process: usize,
        reply: Reply,
    },
    Sends {
        process: usize,
    },
    AwsAnswers {
        process: usize,
        reply: Reply,
    },
    ReplyIsLost {
        process: usize,
        applied: bool,
    },
    GivesUpWaiting {
        process: usize,
    },
    Reports {
        process: usize,
    },
    Crashes {
        process: usize,
    },
    StrayArrives {
        name: Name,
    },
    JobMoves {
        name: Name,
        to: Phase,
    },
    RecordVanishes {
        name: Name,
    },
    SomebodyTakesTheName {
        name: Name,
    },
    UserDeletes {
        slot: usize,
    },
    UserSuspends {
        slot: usize,
        suspend: bool,
    },
    UserPokes {
        slot: usize,
    },
    UserCopies,
    UserFreesTheCopy,
    FinalizerIsForced {
        slot: usize,
    },
    BindingChanges {
        to: u8,
    },
    IdentityChanges {
        process: usize,
    },
    SweeperLists,
    SweeperListsObjects,
    SweeperDeletes {
        name: Name,
    },
    OtherClusterSweeps {
        name: Name,
    },
    CacheFollows {
        process: usize,
    },
}

pub struct Next {
    pub label: Label,
    pub state: State,
    pub broken: Option<Broken>,
}

/// The first state.
pub fn first(shipped: &mut Shipped) -> State {
    State {
        objects: [Slot::WatchedJob(shipped.first()), Slot::Never],
        processes: [Process::Idle; 2],
        records: [[None; NAMES]; 2],
        strays: [[0; NAMES]; 2],
        binding: 0,
        identity: [0; 2],
        sweeper: GarbageCollector::Idle,
        budget: shipped.config.faults,
        history: [0; NAMES],
        cache: [None; 2],
    }
}

/// Everything that can happen in a state.
pub fn successors(shipped: &mut Shipped, from: &State, out: &mut Vec<Next>) {
    let mut world = World { shipped, from, out };
    world.tick();
    for process in 0..world.shipped.config.processes {
        world.process(process);
    }
    world.aws();
    world.users();
    world.third_parties();
    if world.shipped.config.sweeper {
        world.sweeper();
    }
}

struct World<'a> {
    shipped: &'a mut Shipped,
    from: &'a State,
    out: &'a mut Vec<Next>,
}

impl World<'_> {
    fn push(&mut self, label: Label, state: State) {
        self.push_broken(label, state, None);
    }

    fn push_broken(&mut self, label: Label, state: State, broken: Option<Broken>) {
        self.out.push(Next { label, state, broken });
    }

    /// The state after a fault, if it may still happen.
    fn after(&self, fault: AwsError) -> Option<State> {
        if self.from.budget.of(fault) == 0 {
            return None;
        }
        let mut state = self.from.clone();
        state.budget.spend(fault);
        Some(state)
    }

    // ---- time

    fn tick(&mut self) {
        let busy = self.from.processes.iter().any(|p| *p != Process::Idle);
        if busy && !self.shipped.config.freezes {
            return;
        }
        let mut state = self.from.clone();
        pass_time(self.shipped, &mut state);
        if state != *self.from {
            self.push(Label::Tick, state);
        }
    }

    // ---- the operator

    fn process(&mut self, p: usize) {
        match self.from.processes[p] {
            Process::Idle => self.reads(p),
            Process::Looking {
                slot,
                view,
                stale,
                as_of,
                name,
                account,
            } => {
                self.gets(p, (name, account), slot, view, stale, as_of);
            }
            Process::Seeing {
                slot,
                view,
                stale,
                as_of,
                seen,
            } => {
                let next = self.decide(p, slot, view, stale, as_of, seen);
                self.becomes(Label::Plans { process: p }, p, next);
            }
            Process::Decided(pass) => self.acts(p, pass),
            Process::Intent(pass) => self.sends(p, pass),
            Process::InFlight { pass, signed } => self.in_flight(p, pass, signed),
            Process::Told { pass, reply } => self.reports(p, pass, reply),
        }
        self.crashes(p);
    }

    fn becomes(&mut self, label: Label, p: usize, process: Process) {
        let mut state = self.from.clone();
        state.processes[p] = process;
        if state != *self.from {
            self.push(label, state);
        }
    }

    /// To die before the first write is to have done nothing: the same as not to have begun.
    fn crashes(&mut self, p: usize) {
        let wrote = match self.from.processes[p] {
            Process::Idle | Process::Looking { .. } | Process::Seeing { .. } | Process::Decided(_) => false,
            Process::Intent(_) | Process::InFlight { .. } | Process::Told { .. } => true,
        };
        if wrote && let Some(mut state) = self.after(AwsError::Crash) {
            orphan(self.shipped, &mut state, p);
            state.processes[p] = Process::Idle;
            self.push(Label::Crashes { process: p }, state);
        }
    }

    fn reads(&mut self, p: usize) {
        if self.shipped.is(Mutant::CachedPlan) && self.from.cache[p] != self.from.objects[0].id() {
            let mut state = self.from.clone();
            state.cache[p] = self.from.objects[0].id();
            self.push(Label::CacheFollows { process: p }, state);
        }
        for slot in 0..2 {
            if !self.shipped.config.serves(p, slot) {
                continue;
            }
            let Some(stored) = self.from.objects[slot].id() else {
                continue;
            };
            let view = if self.shipped.is(Mutant::CachedPlan) {
                self.from.cache[p].unwrap_or(stored)
            } else {
                stored
            };
            for sweep in self.sweeps(p, slot, view) {
                let next = self.read(p, slot, view, sweep);
                self.becomes(
                    Label::Reads {
                        process: p,
                        slot,
                        sweep,
                    },
                    p,
                    next,
                );
            }
        }
    }

    /// What the process may have in memory of its sweeps: nothing, or one that is true.
    fn sweeps(&self, p: usize, slot: usize, view: ObjectId) -> Vec<Option<Swept>> {
        let mut sweeps = vec![None];
        let info = self.shipped.info(view);
        if info.attempt == 0 || info.finished.is_some() {
            return sweeps;
        }
        let name = self.shipped.config.uid_of(slot) * ATTEMPTS + usize::from(info.attempt) - 1;
        let clock = self.shipped.config.clocks[p];
        let config = self.shipped.config;
        let record = self.from.records[usize::from(self.from.identity[p])][name];
        let running = record.filter(|r| !r.phase.terminal());
        sweeps.push(Some(Swept {
            begun: clock,
            listed: running,
        }));
        if running.is_some_and(|r| r.age < config.lag) {
            sweeps.push(Some(Swept {
                begun: clock,
                listed: None,
            }));
        }
        for ago in 1..=config.stale_sweeps {
            let begun = clock - ago;
            if self.from.history[name] & history::APPLIED != 0 {
                let age = record.map_or(config.oldest(), |r| r.age);
                let listed = Some(Observation {
                    phase: Phase::Running,
                    age,
                    foreign: false,
                });
                sweeps.push(Some(Swept { begun, listed }));
            }
            if running.is_none_or(|r| r.age <= ago.unsigned_abs() + config.lag) {
                sweeps.push(Some(Swept { begun, listed: None }));
            }
        }
        sweeps
    }

    fn read(&mut self, p: usize, slot: usize, view: ObjectId, sweep: Option<Swept>) -> Process {
        let looked = self.shipped.look(
            view,
            u8::try_from(p).unwrap(),
            self.from.binding,
            self.from.identity[p],
            sweep,
        );
        let clock = self.shipped.config.clocks[p];
        if let Some((name, account)) = looked.get {
            return Process::Looking {
                slot,
                view,
                stale: false,
                as_of: clock,
                name,
                account,
            };
        }
        self.decide(p, slot, view, false, looked.as_of, looked.known)
    }

    fn decide(&mut self, p: usize, slot: usize, view: ObjectId, stale: bool, as_of: i8, seen: Seen) -> Process {
        let question = Question {
            view,
            process: u8::try_from(p).unwrap(),
            binding: self.from.binding,
            identity: self.from.identity[p],
            seen,
            as_of,
        };
        let id = self.shipped.plan(question);
        let decision = self.shipped.pass(id);
        if decision.pending == view && !decision.step.has_effect() {
            return Process::Idle;
        }
        Process::Decided(Pass {
            slot,
            id,
            age: 0,
            stale,
        })
    }

    fn gets(
        &mut self,
        p: usize,
        (name, account): (Name, Account),
        slot: usize,
        view: ObjectId,
        stale: bool,
        as_of: i8,
    ) {
        let mut answers = Vec::new();
        if account == usize::from(self.from.identity[p]) {
            let record = self.from.records[account][name];
            answers.push(record.map_or(Seen::Absent, |record| Seen::Found {
                record,
                tags: self.shipped.config.tags,
            }));
            if record.is_some_and(|r| r.age < self.shipped.config.lag) {
                answers.push(Seen::Absent);
            }
            if self.from.budget.of(AwsError::Unreachable) > 0 {
                answers.push(Seen::Unreachable);
            }
        } else {
            answers.push(Seen::OtherIdentity);
        }
        for seen in answers {
            let next = if self.shipped.config.freezes {
                Process::Seeing {
                    slot,
                    view,
                    stale,
                    as_of,
                    seen,
                }
            } else {
                self.decide(p, slot, view, stale, as_of, seen)
            };
            self.becomes(Label::Gets { process: p, seen }, p, next);
        }
    }

    fn acts(&mut self, p: usize, pass: Pass) {
        let decision = self.shipped.pass(pass.id).clone();
        if let Step::DeleteRecord(_) = &decision.step {
            self.asks_to_delete(p, pass, &decision);
            return;
        }
        let intent = matches!(decision.step, Step::Submit(_));
        let unfenced = self.shipped.is(Mutant::CachedPlan) || (intent && self.shipped.is(Mutant::NoFence));
        let current = self.from.objects[pass.slot].id().filter(|_| !pass.stale || unfenced);
        let Some(current) = current else {
            self.becomes(Label::LosesRace { process: p }, p, Process::Idle);
            return;
        };
        let mut state = self.from.clone();
        let label = Label::WritesFirst { process: p };
        match &decision.step {
            Step::Submit(intent) => {
                let broken = self.judge_submit(&decision, current, intent);
                let pending = self.shipped.aged(decision.pending, pass.age);
                let status = self.shipped.object(pending).status.clone();
                let written = self.shipped.changed(current, |job| job.status = status);
                store(self.shipped, &mut state, pass.slot, written);
                state.processes[p] = Process::Intent(Pass { stale: false, ..pass });
                self.push_broken(label, state, broken);
            }
            Step::AddFinalizer => {
                let written = self.shipped.changed(current, |job| {
                    job.has_finalizer = true;
                    job.owner_uid = Some(job.uid.clone());
                });
                store(self.shipped, &mut state, pass.slot, written);
                state.processes[p] = Process::Idle;
                self.push(label, state);
            }
            Step::RemoveFinalizer { .. } => {
                state.processes[p] = Process::Idle;
                gone(&mut state, pass.slot);
                self.push(label, state);
            }
            Step::Expire => {
                let written = self
                    .shipped
                    .changed(current, |job| job.deleted = Some(crate::clock::at(0)));
                store(self.shipped, &mut state, pass.slot, written);
                state.processes[p] = Process::Idle;
                self.push(label, state);
            }
            _ => {
                let pending = self.shipped.aged(decision.pending, pass.age);
                let broken = store(self.shipped, &mut state, pass.slot, pending);
                state.processes[p] = Process::Idle;
                self.push_broken(label, state, broken);
            }
        }
    }

    /// Whether a Start may be intended now.
    fn judge_submit(&self, decision: &Decision, current: ObjectId, intent: &Submission) -> Option<Broken> {
        let name = decision.name.unwrap();
        let attempt = usize::try_from(intent.attempt).unwrap();
        let uid = name / ATTEMPTS;
        let broken = |invariant, what: &str| Some(Broken::new(invariant, what));
        let acknowledged = self.from.history[uid * ATTEMPTS + attempt - 1] & history::ACKNOWLEDGED != 0;
        if acknowledged && !self.shipped.config.clone {
            return broken(Invariant::NoLateStart, "an acknowledged attempt is started again");
        }
        let earlier = (0..attempt - 1).map(|n| self.from.history[uid * ATTEMPTS + n]);
        if earlier
            .into_iter()
            .any(|h| h & history::APPLIED != 0 && h & history::FAILED == 0)
        {
            return broken(
                Invariant::OneAttemptAtATime,
                "a new attempt, but the last one did not fail",
            );
        }
        if self.shipped.info(decision.pending).suspended {
            return broken(Invariant::NoLateStart, "a suspended object is started");
        }
        let info = self.shipped.info(current);
        if info.copied && info.attempt == 0 {
            return broken(Invariant::PaidOnce, "a copy starts the job of its original again");
        }
        None
    }

    fn asks_to_delete(&mut self, p: usize, pass: Pass, decision: &Decision) {
        let (name, account) = (decision.name.unwrap(), decision.account);
        let record = self.from.records[account][name];
        let told = |reply| Process::Told { pass, reply };
        let deleted = self.shipped.info(decision.pending).deleted;
        let (reply, broken) = match record {
            None => (Reply::DeleteAbsent, None),
            Some(record) if !record.phase.terminal() => (Reply::DeleteBusy, None),
            Some(record) if record.foreign => (
                Reply::Deleted,
                Some(Broken::new(
                    Invariant::HandsOff,
                    "the operator deletes a record that is not ours",
                )),
            ),
            Some(_) if !deleted => (
                Reply::Deleted,
                Some(Broken::new(
                    Invariant::HandsOff,
                    "the operator deletes a record that is still needed",
                )),
            ),
            Some(_) => (Reply::Deleted, None),
        };
        let mut state = self.from.clone();
        if reply == Reply::Deleted {
            state.records[account][name] = None;
        }
        state.processes[p] = told(reply);
        self.push_broken(Label::AsksToDelete { process: p, reply }, state, broken);
        if let Some(mut state) = self.after(AwsError::LostReply) {
            state.processes[p] = told(Reply::DeleteAmbiguous);
            let label = Label::AsksToDelete {
                process: p,
                reply: Reply::DeleteAmbiguous,
            };
            self.push(label, state.clone());
            if reply == Reply::Deleted {
                state.records[account][name] = None;
                self.push(label, state);
            }
        }
    }

    fn sends(&mut self, p: usize, pass: Pass) {
        let clock = self.shipped.config.clocks[p];
        let signed = if self.shipped.is(Mutant::SignsWithNow) {
            clock
        } else {
            self.shipped.signed(p, pass)
        };
        self.becomes(Label::Sends { process: p }, p, Process::InFlight { pass, signed });
    }

    fn in_flight(&mut self, p: usize, pass: Pass, signed: i8) {
        let decision = self.shipped.pass(pass.id);
        let (name, account) = (decision.name.unwrap(), decision.account);
        let told = |reply| Process::Told { pass, reply };
        if let Some(mut state) = self.after(AwsError::LostReply) {
            orphan(self.shipped, &mut state, p);
            state.processes[p] = told(Reply::Ambiguous);
            self.push(Label::GivesUpWaiting { process: p }, state);
        }
        if !self.shipped.config.valid(signed) {
            self.answers(p, pass, Reply::Expired);
            return;
        }
        for (fault, reply) in [
            (AwsError::Throttle, Reply::Throttled),
            (AwsError::Refuse, Reply::Invalid),
        ] {
            if let Some(mut state) = self.after(fault) {
                state.processes[p] = told(reply);
                self.push(Label::AwsAnswers { process: p, reply }, state);
            }
        }
        if self.from.records[account][name].is_some() {
            self.answers(p, pass, Reply::Conflict);
            return;
        }
        let mut state = self.from.clone();
        let broken = apply(self.shipped, &mut state, account, name);
        state.processes[p] = told(Reply::Accepted);
        self.push_broken(
            Label::AwsAnswers {
                process: p,
                reply: Reply::Accepted,
            },
            state.clone(),
            broken.clone(),
        );
        if state.budget.spend(AwsError::LostReply) {
            state.processes[p] = told(Reply::Ambiguous);
            self.push_broken(
                Label::ReplyIsLost {
                    process: p,
                    applied: true,
                },
                state,
                broken,
            );
        }
    }

    /// An answer that changes nothing in AWS, or its loss.
    fn answers(&mut self, p: usize, pass: Pass, reply: Reply) {
        self.becomes(
            Label::AwsAnswers { process: p, reply },
            p,
            Process::Told { pass, reply },
        );
        if let Some(mut state) = self.after(AwsError::LostReply) {
            state.processes[p] = Process::Told {
                pass,
                reply: Reply::Ambiguous,
            };
            self.push(
                Label::ReplyIsLost {
                    process: p,
                    applied: false,
                },
                state,
            );
        }
    }

    fn reports(&mut self, p: usize, pass: Pass, reply: Reply) {
        let label = Label::Reports { process: p };
        let over = self.from.objects[pass.slot]
            .id()
            .filter(|id| !pass.stale || self.still_ours(*id, pass));
        let Some(over) = over else {
            self.becomes(Label::LosesRace { process: p }, p, Process::Idle);
            return;
        };
        let written = self.shipped.report(pass, over, reply);
        let mut state = self.from.clone();
        state.processes[p] = Process::Idle;
        let broken = if written == over {
            None
        } else {
            store(self.shipped, &mut state, pass.slot, written)
        };
        self.push_broken(label, state, broken);
    }

    /// After a lost race the object is read again: the outcome is stored if the intent is still the one that was written.
    fn still_ours(&mut self, now: ObjectId, pass: Pass) -> bool {
        let decision = self.shipped.pass(pass.id);
        if !matches!(decision.step, Step::Submit(_)) {
            return false;
        }
        let pending = decision.pending;
        let written = self.shipped.aged(pending, pass.age);
        let (written, now) = (self.shipped.object(written), self.shipped.object(now));
        let (Some(written), Some(now)) = (&written.status.submission, &now.status.submission) else {
            return false;
        };
        if self.shipped.is(Mutant::ReportsOverOthers) {
            let same = now.outcome != Outcome::Sent || written.started_at == now.started_at;
            return written.job_name == now.job_name && same;
        }
        written == now
    }

    // ---- AWS

    fn aws(&mut self) {
        for account in 0..2 {
            for name in 0..NAMES {
                let mut left = self.from.strays[account][name];
                while left != 0 {
                    let bit = left & left.wrapping_neg();
                    left &= !bit;
                    let mut state = self.from.clone();
                    state.strays[account][name] &= !bit;
                    if state.records[account][name].is_none() {
                        let broken = apply(self.shipped, &mut state, account, name);
                        self.push_broken(Label::StrayArrives { name }, state, broken);
                    } else {
                        self.push(Label::StrayArrives { name }, state);
                    }
                }
                if let Some(record) = self.from.records[account][name].filter(|r| !r.foreign) {
                    self.job_moves(account, name, record);
                }
            }
        }
    }

    fn job_moves(&mut self, account: Account, name: Name, record: Observation) {
        let next = match record.phase {
            Phase::Queued => Phase::Running,
            Phase::Running => Phase::Completed,
            Phase::Completed | Phase::Failed => return,
        };
        let mut state = self.from.clone();
        move_to(&mut state, account, name, next);
        self.push(Label::JobMoves { name, to: next }, state);
        if record.phase == Phase::Running
            && let Some(mut state) = self.after(AwsError::JobFails)
        {
            move_to(&mut state, account, name, Phase::Failed);
            self.push(
                Label::JobMoves {
                    name,
                    to: Phase::Failed,
                },
                state,
            );
        }
    }

    // ---- users

    fn users(&mut self) {
        for slot in 0..2 {
            let Some(id) = self.from.objects[slot].id() else {
                continue;
            };
            let info = self.shipped.info(id).clone();
            if let Some(state) = self.after(AwsError::Delete).filter(|_| !info.deleted) {
                if info.has_finalizer {
                    self.change(Label::UserDeletes { slot }, state, slot, |job| {
                        job.deleted = Some(crate::clock::at(0));
                    });
                } else {
                    let mut state = state;
                    gone(&mut state, slot);
                    self.push(Label::UserDeletes { slot }, state);
                }
            }
            if info.deleted {
                if let Some(mut state) = self.after(AwsError::Strip) {
                    gone(&mut state, slot);
                    self.push(Label::FinalizerIsForced { slot }, state);
                }
                continue;
            }
            if let Some(state) = self.after(AwsError::Suspend) {
                let suspend = !info.suspended;
                self.change(Label::UserSuspends { slot, suspend }, state, slot, |job| {
                    job.controls.suspend = suspend;
                    job.generation += 1;
                });
            }
            if let Some(state) = self.after(AwsError::Poke) {
                self.change(Label::UserPokes { slot }, state, slot, |job| {
                    job.reconcile_at = Some(if job.reconcile_at.is_some() { "again" } else { "now" }.to_owned());
                });
            }
        }
        self.copies();
    }

    fn copies(&mut self) {
        let [Slot::WatchedJob(original), copy] = self.from.objects else {
            if let (Slot::WatchedJob(copy), Some(state)) = (self.from.objects[1], self.after(AwsError::Adopt)) {
                self.frees(copy, state);
            }
            return;
        };
        if copy == Slot::Never
            && let Some(mut state) = self.after(AwsError::Copy)
        {
            let uid = UIDS[self.shipped.config.uid_of(1)];
            let id = self.shipped.changed(original, |job| {
                "copy".clone_into(&mut job.name);
                uid.clone_into(&mut job.uid);
                job.deleted = None;
                job.created = crate::clock::at(0);
            });
            state.objects[1] = Slot::WatchedJob(id);
            self.push(Label::UserCopies, state);
        }
        if let (Slot::WatchedJob(copy), Some(state)) = (copy, self.after(AwsError::Adopt)) {
            self.frees(copy, state);
        }
    }

    fn frees(&mut self, copy: ObjectId, state: State) {
        if self.shipped.info(copy).copied {
            self.change(Label::UserFreesTheCopy, state, 1, |job| job.owner_uid = None);
        }
    }

    fn change(
        &mut self,
        label: Label,
        mut state: State,
        slot: usize,
        change: impl FnOnce(&mut transcribe_operator::domain::JobView),
    ) {
        let id = self.from.objects[slot].id().unwrap();
        let written = self.shipped.changed(id, change);
        store(self.shipped, &mut state, slot, written);
        self.push(label, state);
    }

    // ---- others

    fn third_parties(&mut self) {
        let bindings = u8::try_from(self.shipped.config.bindings.len()).unwrap();
        if bindings > 1
            && let Some(mut state) = self.after(AwsError::Binding)
        {
            state.binding = (state.binding + 1) % bindings;
            self.push(Label::BindingChanges { to: state.binding }, state);
        }
        for p in 0..self.shipped.config.processes {
            if let Some(mut state) = self.after(AwsError::AccountRegion) {
                orphan(self.shipped, &mut state, p);
                state.processes[p] = Process::Idle;
                state.identity[p] = 1 - state.identity[p];
                self.push(Label::IdentityChanges { process: p }, state);
            }
        }
        for name in 0..NAMES {
            self.takes_name(name);
            if self.from.records[0][name].is_some_and(|r| r.phase.terminal() && !r.foreign) {
                self.vanishes(name);
            }
        }
    }

    fn takes_name(&mut self, name: Name) {
        if name != 0 || self.from.records[0][name].is_some() || self.from.history[name] & history::FOREIGN != 0 {
            return;
        }
        // Older than our object if AWS says no more than its age; any time if tags tell it from ours.
        if let Some(mut state) = self.after(AwsError::Plant) {
            state.history[name] |= history::FOREIGN;
            for phase in [Phase::Running, Phase::Completed] {
                state.records[0][name] = Some(Observation {
                    phase,
                    age: if self.shipped.config.tags { 0 } else { 100 },
                    foreign: true,
                });
                self.push(Label::SomebodyTakesTheName { name }, state.clone());
            }
        }
    }

    fn vanishes(&mut self, name: Name) {
        // While another Start of it is on its way, nobody can keep that from taking the name that is free again.
        let known = self.from.history[name] & history::ACKNOWLEDGED != 0 && !can_land(self.shipped, self.from, name);
        let (fault, mark) = if known {
            (AwsError::Vanish, history::VANISHED)
        } else {
            (AwsError::VanishUnseen, history::VANISHED | history::UNSEEN)
        };
        if let Some(mut state) = self.after(fault) {
            state.records[0][name] = None;
            state.history[name] |= mark;
            self.push(Label::RecordVanishes { name }, state);
        }
    }

    // ---- the sweeper

    fn sweeper(&mut self) {
        match self.from.sweeper {
            GarbageCollector::Idle if self.shipped.is(Mutant::SweepsObjectsFirst) => {
                let mut state = self.from.clone();
                state.sweeper = GarbageCollector::Objects(self.uids());
                self.push(Label::SweeperListsObjects, state);
            }
            GarbageCollector::Idle => {
                let listed = old_records(self.shipped, self.from);
                if listed != 0 {
                    let mut state = self.from.clone();
                    state.sweeper = GarbageCollector::Listed(listed);
                    self.push(Label::SweeperLists, state);
                }
            }
            GarbageCollector::Listed(names) => {
                let uids = if self.shipped.is(Mutant::SweepsOnPartialList) {
                    0
                } else {
                    self.uids()
                };
                self.sweeps_next(Label::SweeperListsObjects, without_object(names, uids));
            }
            GarbageCollector::Objects(uids) => {
                let names = without_object(old_records(self.shipped, self.from), uids);
                self.sweeps_next(Label::SweeperLists, names);
            }
            GarbageCollector::Deleting(names) => {
                let name = usize::try_from(names.trailing_zeros()).unwrap();
                let mut state = self.from.clone();
                let broken = sweep_away(self.shipped, &mut state, name);
                let rest = names & (names - 1);
                state.sweeper = if rest == 0 {
                    GarbageCollector::Idle
                } else {
                    GarbageCollector::Deleting(rest)
                };
                self.push_broken(Label::SweeperDeletes { name }, state, broken);
            }
        }
        if self.shipped.config.cluster_ids.len() > 1
            && self.shipped.config.cluster_ids[0] == self.shipped.config.cluster_ids[1]
        {
            let listed = old_records(self.shipped, self.from);
            for name in (0..NAMES).filter(|n| listed & (1 << n) != 0) {
                let mut state = self.from.clone();
                state.records[0][name] = None;
                state.history[name] |= history::VANISHED;
                if state.history[name] & history::ACKNOWLEDGED == 0 {
                    state.history[name] |= history::UNSEEN;
                }
                self.push(Label::OtherClusterSweeps { name }, state);
            }
        }
    }

    fn sweeps_next(&mut self, label: Label, names: u8) {
        let mut state = self.from.clone();
        state.sweeper = if names == 0 {
            GarbageCollector::Idle
        } else {
            GarbageCollector::Deleting(names)
        };
        self.push(label, state);
    }

    fn uids(&self) -> u8 {
        stored_uids(self.shipped, self.from)
    }
}

/// A set of the uids of the objects that there are. Each cluster's sweeper lists its own objects, and only what its own
/// head begins: where heads differ, all sweepers together are like one that knows all objects.
pub fn stored_uids(shipped: &Shipped, state: &State) -> u8 {
    let stored = |slot: &usize| state.objects[*slot].id().is_some();
    (0..2)
        .filter(stored)
        .fold(0, |uids, slot| uids | 1 << shipped.config.uid_of(slot))
}

/// The names of this cluster's records that ended, are not to be retained, and are older than the bound.
pub fn old_records(shipped: &Shipped, state: &State) -> u8 {
    let config = shipped.config;
    if config.retain && !shipped.is(Mutant::SweepsRetained) {
        return 0;
    }
    let old = |name: &usize| {
        state.records[usize::from(state.identity[0])][*name].is_some_and(|record| {
            let age = i16::from(record.age) + i16::from(config.clocks[0]);
            record.phase.terminal() && age > i16::from(config.bound())
        })
    };
    (0..NAMES).filter(old).fold(0, |names, name| names | 1 << name)
}

/// Those of the names whose object is not among these.
pub fn without_object(names: u8, uids: u8) -> u8 {
    let orphan = |name: &usize| names & (1 << name) != 0 && uids & (1 << (name / ATTEMPTS)) == 0;
    (0..NAMES).filter(orphan).fold(0, |names, name| names | 1 << name)
}

/// The sweeper deletes a record, having asked for its tags.
pub fn sweep_away(shipped: &Shipped, state: &mut State, name: Name) -> Option<Broken> {
    let account = usize::from(state.identity[0]);
    let record = state.records[account][name].filter(|r| r.phase.terminal())?;
    if can_land(shipped, state, name) {
        // The finalizer was removed by force: nobody waits for what is on its way.
        state.history[name] |= history::UNSEEN;
    }
    if record.foreign && shipped.config.tags && !shipped.is(Mutant::SweepsWithoutTags) {
        return None;
    }
    state.records[account][name] = None;
    let broken = |what| Some(Broken::new(Invariant::HandsOff, what));
    if record.foreign {
        return broken("the sweeper deletes a record that is not ours");
    }
    if shipped.config.retain {
        return broken("the sweeper deletes a record that is to be retained");
    }
    if stored_uids(shipped, state) & (1 << (name / ATTEMPTS)) != 0 {
        return broken("the sweeper deletes the record of an object that is there");
    }
    None
}

/// Stores an object, and notes what it says for the first time.
pub fn store(shipped: &Shipped, state: &mut State, slot: usize, id: ObjectId) -> Option<Broken> {
    state.objects[slot] = Slot::WatchedJob(id);
    for process in &mut state.processes {
        process.outdate(slot);
    }
    let info = shipped.info(id);
    let acknowledged = matches!(info.outcome, Some(Outcome::Acknowledged | Outcome::Conflict));
    if info.attempt == 0 || !acknowledged {
        return None;
    }
    let name = shipped.config.uid_of(slot) * ATTEMPTS + usize::from(info.attempt) - 1;
    state.history[name] |= history::ACKNOWLEDGED;
    if info.outcome == Some(Outcome::Acknowledged) && state.history[name] & history::APPLIED == 0 {
        return Some(Broken::new(
            Invariant::HandsOff,
            "somebody else's job is taken for ours",
        ));
    }
    None
}

/// An object is no more.
fn gone(state: &mut State, slot: usize) {
    state.objects[slot] = Slot::Gone;
    for process in &mut state.processes {
        process.outdate(slot);
    }
}

/// The Start that a process waits for goes on without it.
fn orphan(shipped: &Shipped, state: &mut State, p: usize) {
    if let Process::InFlight { pass, signed } = state.processes[p] {
        let decision = shipped.pass(pass.id);
        if shipped.config.valid(signed) {
            let bit = 1 << (signed + shipped.config.window);
            state.strays[decision.account][decision.name.unwrap()] |= bit;
        }
    }
}

/// AWS applies a Start.
pub fn apply(shipped: &Shipped, state: &mut State, account: Account, name: Name) -> Option<Broken> {
    let phase = if shipped.config.queue {
        Phase::Queued
    } else {
        Phase::Running
    };
    state.records[account][name] = Some(Observation {
        phase,
        age: 0,
        foreign: false,
    });
    let before = state.history[name];
    state.history[name] |= if before & history::APPLIED == 0 {
        history::APPLIED
    } else {
        history::TWICE
    };
    let excused = before & history::UNSEEN != 0;
    if before & history::APPLIED != 0 && !excused {
        return Some(Broken::new(
            Invariant::PaidOnce,
            "a second Start of the same attempt was applied",
        ));
    }
    None
}

/// A job goes on.
pub fn move_to(state: &mut State, account: Account, name: Name, phase: Phase) {
    if let Some(record) = &mut state.records[account][name] {
        record.phase = phase;
    }
    state.history[name] |= match phase {
        Phase::Completed => history::COMPLETED,
        Phase::Failed => history::FAILED,
        Phase::Queued | Phase::Running => 0,
    };
}

/// A tick goes by.
pub fn pass_time(shipped: &mut Shipped, state: &mut State) {
    for slot in &mut state.objects {
        if let Slot::WatchedJob(id) = slot {
            *id = shipped.tick(*id);
        }
    }
    for cached in state.cache.iter_mut().flatten() {
        *cached = shipped.tick(*cached);
    }
    for p in 0..2 {
        state.processes[p] = later(shipped, p, state.processes[p]);
    }
    let oldest = shipped.config.oldest();
    for record in state.records.iter_mut().flatten().flatten() {
        if !record.foreign || record.age < 100 {
            record.age = (record.age + 1).min(oldest);
        }
    }
    for strays in state.strays.iter_mut().flatten() {
        *strays >>= 1;
    }
}

fn later(shipped: &mut Shipped, p: usize, process: Process) -> Process {
    let config = shipped.config;
    let oldest = config.past().unsigned_abs();
    let tired = |as_of: i8| config.clocks[p] - as_of >= config.patience;
    let older = |pass: Pass| Pass {
        age: (pass.age + 1).min(oldest),
        ..pass
    };
    match process {
        Process::Idle => Process::Idle,
        Process::Looking { as_of, .. } | Process::Seeing { as_of, .. } if tired(as_of) => Process::Idle,
        Process::Looking {
            slot,
            view,
            stale,
            as_of,
            name,
            account,
        } => Process::Looking {
            view: shipped.tick(view),
            as_of: as_of - 1,
            slot,
            stale,
            name,
            account,
        },
        Process::Seeing {
            slot,
            view,
            stale,
            as_of,
            seen,
        } => Process::Seeing {
            view: shipped.tick(view),
            as_of: as_of - 1,
            seen: match seen {
                Seen::Found { record, tags } if record.age < 100 => Seen::Found {
                    record: Observation {
                        age: (record.age + 1).min(config.oldest()),
                        ..record
                    },
                    tags,
                },
                seen => seen,
            },
            slot,
            stale,
        },
        Process::Decided(pass) => {
            let starts = matches!(shipped.pass(pass.id).step, Step::Submit(_));
            if !starts && i16::from(pass.age) >= i16::from(config.patience) {
                return Process::Idle;
            }
            Process::Decided(older(pass))
        }
        Process::Intent(pass) => Process::Intent(older(pass)),
        Process::InFlight { pass, signed } => Process::InFlight {
            pass: older(pass),
            signed: (signed - 1).max(-config.past()),
        },
        Process::Told { pass, reply } => Process::Told {
            pass: older(pass),
            reply,
        },
    }
}
