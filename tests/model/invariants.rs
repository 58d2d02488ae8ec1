//! What must hold.

use std::fmt;

use crate::{
    shipped::{Outcome, Shipped},
    world::{ATTEMPTS, NAMES, Process, Slot, State, history},
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invariant {
    /// I1: at most one applied Start for each attempt of an object, and none by a copy of itself.
    PaidOnce,
    /// I2: when an object is gone and all is settled, no record of it is left, unless it is to be retained.
    NothingLeaked,
    /// I3: an object ends as its job did, and says so; "nothing was billed" is true.
    NothingLost,
    /// I4: a record that is not ours, or still needed, is neither adopted nor deleted.
    HandsOff,
    /// I5: nothing is started once it must not be: after the acknowledgement, the withdrawal, the end of the object, or
    /// against the spec.
    NoLateStart,
    /// I6: at rest, nothing is written or asked again.
    Rest,
    /// I7: a new attempt follows only one that was seen FAILED.
    OneAttemptAtATime,
}

/// A broken invariant, and how it came about.
#[derive(Clone, Debug)]
pub struct Broken {
    pub invariant: Invariant,
    pub what: String,
    pub trace: Vec<String>,
}

impl Broken {
    pub fn new(invariant: Invariant, what: impl Into<String>) -> Self {
        Self {
            invariant,
            what: what.into(),
            trace: Vec::new(),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)?;
        for line in &self.trace {
            write!(f, "\n     {line}")?;
        }
        Ok(())
    }
}

/// What must hold in every state.
pub fn check(shipped: &Shipped, state: &State) -> Option<Broken> {
    for slot in 0..2 {
        let uid = shipped.config.uid_of(slot);
        match state.objects[slot] {
            Slot::Never => {}
            Slot::Gone => {
                let late = (0..ATTEMPTS).any(|n| can_land(shipped, state, uid * ATTEMPTS + n));
                let stripped = shipped.config.faults.of(crate::world::AwsError::Strip) > 0;
                if late && !stripped && !shipped.config.clone {
                    let what = "the object is gone, but a Start of it can still land";
                    return Some(Broken::new(Invariant::NoLateStart, what));
                }
            }
            Slot::WatchedJob(id) => {
                let info = shipped.info(id);
                let name = uid * ATTEMPTS + usize::from(info.attempt.max(1)) - 1;
                if info.says_nothing_billed {
                    if state.history[name] & history::APPLIED != 0 {
                        let what = "status says that nothing was billed, but a job was started";
                        return Some(Broken::new(Invariant::NothingLost, what));
                    }
                    if can_land(shipped, state, name) {
                        let what = "status says that nothing was billed, but a Start can still land";
                        return Some(Broken::new(Invariant::NoLateStart, what));
                    }
                }
                if info.attempt > 0
                    && !shipped.config.clone
                    && state.history[name] & history::ACKNOWLEDGED != 0
                    && matches!(info.outcome, Some(Outcome::Sent | Outcome::Refused))
                {
                    let what = "an acknowledgement was forgotten: the attempt could be started again";
                    return Some(Broken::new(Invariant::NoLateStart, what));
                }
            }
        }
    }
    None
}

/// A Start under this name could still be applied.
pub fn can_land(shipped: &Shipped, state: &State, name: usize) -> bool {
    debug_assert!(name < NAMES);
    let strays = state.strays.iter().any(|account| account[name] != 0);
    let sending = state.processes.iter().enumerate().any(|(p, process)| {
        let (pass, signed) = match process {
            Process::Intent(pass) => (pass, shipped.signed(p, *pass)),
            Process::InFlight { pass, signed } => (pass, *signed),
            Process::Idle
            | Process::Looking { .. }
            | Process::Seeing { .. }
            | Process::Decided(_)
            | Process::Told { .. } => return false,
        };
        shipped.pass(pass.id).name == Some(name) && shipped.config.valid(signed)
    });
    strays || sending
}
