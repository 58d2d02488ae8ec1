//! Breadth first, to the last state.

use std::{
    fmt,
    hash::BuildHasherDefault,
    time::{Duration, Instant},
};

use indexmap::IndexSet;
use transcribe_operator::api::Kind;

use crate::{
    configurations::Configuration,
    invariants::{Broken, Invariant, check},
    mutants::Mutant,
    settle::{Settled, brief, settle},
    shipped::Shipped,
    transition::{Label, Next, first, successors},
    world::{ANY, Process, Slot, State},
};

/// Multiply and rotate: the states are not chosen by an enemy.
#[derive(Clone, Copy, Default)]
pub struct Mix(u64);

impl std::hash::Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word.cast_unsigned() as u64);
    }
}

pub type Hasher = BuildHasherDefault<Mix>;

/// More states than this are a mistake in the model.
const MOST_STATES: usize = 700_000;

/// What an exploration found.
pub struct Report {
    pub kind: Kind,
    pub configuration: &'static Configuration,
    pub states: usize,
    pub transitions: usize,
    /// Calm worlds on the way to rest.
    pub calm: usize,
    pub took: Duration,
    pub broken: Option<Broken>,
}

/// Explores a configuration, until an invariant is broken or no state is left.
pub fn explore(configuration: &'static Configuration, kind: Kind, mutant: Option<Mutant>) -> Report {
    let begun = Instant::now();
    let mut shipped = Shipped::new(configuration, kind, mutant);
    let mut states: IndexSet<State, Hasher> = IndexSet::default();
    let mut parents: Vec<(usize, Label)> = Vec::new();
    let mut settled = Settled::default();
    let mut transitions = 0;
    let mut next: Vec<Next> = Vec::new();
    states.insert(first(&mut shipped));
    parents.push((0, Label::Begin));
    let mut broken = None;
    let mut at = 0;
    'explore: while let Some(state) = states.get_index(at).cloned() {
        if let Some(found) = settle(&mut shipped, &state, &mut settled) {
            broken = Some(traced(&shipped, &states, &parents, at, found));
            break;
        }
        next.clear();
        successors(&mut shipped, &state, &mut next);
        for Next {
            label,
            state,
            broken: found,
        } in next.drain(..)
        {
            transitions += 1;
            let (index, new) = states.insert_full(state);
            if new {
                parents.push((at, label));
            }
            let found = found.or_else(|| if new { check(&shipped, &states[index]) } else { None });
            if let Some(found) = found {
                let mut found = traced(&shipped, &states, &parents, at, found);
                let last = format!("{label:?} -> {}", picture(&shipped, &states[index]));
                found.trace.push(last);
                broken = Some(found);
                break 'explore;
            }
        }
        at += 1;
        if states.len() > MOST_STATES {
            broken = Some(Broken::new(Invariant::Rest, "the model is too large"));
            break;
        }
    }
    Report {
        kind,
        configuration,
        states: states.len(),
        transitions,
        calm: settled.len(),
        took: begun.elapsed(),
        broken,
    }
}

/// The broken invariant with the way to the state at `index` before what happened there.
fn traced(
    shipped: &Shipped,
    states: &IndexSet<State, Hasher>,
    parents: &[(usize, Label)],
    index: usize,
    mut broken: Broken,
) -> Broken {
    let mut way = Vec::new();
    let mut at = index;
    loop {
        let (parent, label) = parents[at];
        way.push(format!("{label:?} -> {}", picture(shipped, &states[at])));
        if at == 0 {
            break;
        }
        at = parent;
    }
    way.reverse();
    if !broken.trace.is_empty() {
        way.push("the faults are over; every process starts anew".to_owned());
    }
    way.append(&mut broken.trace);
    Broken { trace: way, ..broken }
}

/// One line about a state.
fn picture(shipped: &Shipped, state: &State) -> String {
    let mut text = String::new();
    for slot in state.objects {
        match slot {
            Slot::Never => {}
            Slot::Gone => text += "[gone] ",
            Slot::WatchedJob(id) => text += &format!("[{}] ", shipped.describe(id)),
        }
    }
    for process in state.processes {
        match process {
            Process::Idle => {}
            Process::Looking { .. } => text += "will get; ",
            Process::Seeing { seen, .. } => text += &format!("got {seen:?}; "),
            Process::Decided(pass) => {
                text += &format!("decided {} {} ago; ", brief(&shipped.pass(pass.id).step), pass.age);
            }
            Process::Intent(pass) => text += &format!("intent stored, decided {} ago; ", pass.age),
            Process::InFlight { signed, .. } => text += &format!("in flight, signed {signed:+}; "),
            Process::Told { reply, .. } => text += &format!("told {reply:?}; "),
        }
    }
    for record in state.records.iter().flatten().flatten() {
        let whose = if record.foreign { "somebody's " } else { "" };
        text += &format!("AWS: {whose}{} {} old; ", record.phase.as_str(), record.age);
    }
    if state.strays.iter().flatten().any(|s| *s != 0) {
        text += "a Start on its way; ";
    }
    text
}

impl Report {
    pub const HEADING: &'static str =
        "configuration        processes clocks  window skew lag freeze  states  transitions  calm     time  faults";
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.configuration;
        let faults: Vec<_> = c
            .faults
            .named()
            .map(|(name, times)| {
                if times == ANY {
                    format!("{name}*")
                } else {
                    format!("{name}:{times}")
                }
            })
            .collect();
        write!(
            f,
            "{:<20} {:>9} {:<7} {:>6} {:>4} {:>3} {:>6} {:>7} {:>12} {:>5} {:>7.2}s  {}",
            c.name,
            c.processes,
            format!("{:+},{:+}", c.clocks[0], c.clocks[1]),
            c.window,
            c.max_skew,
            c.lag,
            if c.freezes { "yes" } else { "no" },
            self.states,
            self.transitions,
            self.calm,
            self.took.as_secs_f64(),
            faults.join(" "),
        )
    }
}
