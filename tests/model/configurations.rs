//! What may happen, and how far it goes, in each exploration.

use std::{fmt, time::Duration};

use transcribe_operator::domain::Controls;

use crate::world::{ANY, AwsError, Budget};

/// What the object's request and its class make of each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Binding {
    Plain,
    Key,
    KeyRefused,
    NoClass,
}

#[derive(Clone, Debug)]
pub struct Configuration {
    pub name: &'static str,
    pub about: &'static str,
    /// How many processes of the operator act, all of them as if they led.
    pub processes: usize,
    /// How far each process's clock is ahead of AWS's, in ticks.
    pub clocks: [i8; 2],
    /// For how many ticks AWS accepts a signature.
    pub window: i8,
    pub max_skew: i8,
    /// In ticks.
    pub deletion_wait: u64,
    /// For how many ticks a new record may be missing from a Get or List.
    pub lag: u8,
    /// Time may pass between any two steps of a process.
    pub freezes: bool,
    /// For how many ticks a process may stand still with an answer of AWS, or another decision than a Start, in its hands
    /// and still act on it. (One that stands still longer writes nothing: its object has changed, or it begins anew.)
    pub patience: i8,
    /// How old a sweep may be that a pass uses. 0: as of now.
    pub stale_sweeps: i8,
    /// Jobs wait in AWS's queue before they run.
    pub queue: bool,
    /// AWS returns tags with a Get.
    pub tags: bool,
    pub faults: Budget,
    pub bindings: &'static [Binding],
    pub suspended: bool,
    pub retain: bool,
    pub backoff_limit: usize,
    /// In ticks.
    pub start_deadline: Option<u64>,
    /// In ticks.
    pub ttl: Option<u64>,
    /// The orphan sweeper runs.
    pub sweeper: bool,
    /// When the faults are over, the processes have the first credentials again.
    pub identity_returns: bool,
    /// Of the object's cluster, and of the copy's where that is another one.
    pub cluster_ids: &'static [&'static str],
    /// The copy is the object itself, uid and all: a second control plane from a snapshot of the first.
    pub clone: bool,
    /// Keep track of when an attempt was first started, and of its record's creation.
    pub exact: bool,
}

/// Nothing happens.
pub const BASE: Configuration = Configuration {
    name: "",
    about: "",
    processes: 1,
    clocks: [0, 0],
    window: 2,
    max_skew: 0,
    deletion_wait: NEVER,
    lag: 0,
    freezes: false,
    patience: 2,
    stale_sweeps: 0,
    queue: false,
    tags: true,
    faults: Budget::NONE,
    bindings: &[Binding::Plain],
    suspended: false,
    retain: false,
    backoff_limit: 0,
    start_deadline: None,
    ttl: None,
    sweeper: false,
    identity_returns: true,
    cluster_ids: &["c0ffee"],
    clone: false,
    exact: false,
};

/// A few of what happens anywhere.
const USUAL: Budget = Budget::NONE
    .with(AwsError::Crash, 1)
    .with(AwsError::LostReply, 1)
    .with(AwsError::Delete, 1);

/// Never, as far as the model goes.
const NEVER: u64 = 1000;

pub const CONFIGURATIONS: &[Configuration] = &[
    Configuration {
        name: "crash",
        about: "crashes, lost replies and an unreachable AWS without end; deletion at any time",
        deletion_wait: 1,
        sweeper: true,
        faults: USUAL
            .with(AwsError::Crash, ANY)
            .with(AwsError::LostReply, ANY)
            .with(AwsError::Unreachable, ANY),
        ..BASE
    },
    Configuration {
        name: "throttle",
        about: "throttling without end, between lost replies",
        faults: Budget::NONE
            .with(AwsError::LostReply, 2)
            .with(AwsError::Throttle, ANY)
            .with(AwsError::Suspend, 1)
            .with(AwsError::Delete, 1),
        ..BASE
    },
    Configuration {
        name: "frozen",
        about: "the process stands still between any two steps; its Start goes out late",
        freezes: true,
        faults: Budget::NONE.with(AwsError::LostReply, 1).with(AwsError::Delete, 1),
        ..BASE
    },
    Configuration {
        name: "frozen, suspended",
        about: "the process stands still while its submission is taken back",
        freezes: true,
        faults: Budget::NONE.with(AwsError::LostReply, 1).with(AwsError::Suspend, 1),
        ..BASE
    },
    Configuration {
        name: "leaders",
        about: "two processes act as leaders on one object",
        deletion_wait: 1,
        sweeper: true,
        processes: 2,
        faults: Budget::NONE.with(AwsError::LostReply, 1).with(AwsError::Delete, 1),
        ..BASE
    },
    Configuration {
        name: "frozen leaders",
        about: "two leaders that stand still",
        processes: 2,
        freezes: true,
        patience: 0,
        window: 1,
        faults: Budget::NONE.with(AwsError::Delete, 1),
        ..BASE
    },
    Configuration {
        name: "skew",
        about: "two leaders whose clocks differ as much as is allowed",
        processes: 2,
        clocks: [1, -1],
        max_skew: 1,
        faults: Budget::NONE.with(AwsError::LostReply, 1).with(AwsError::Delete, 1),
        ..BASE
    },
    Configuration {
        name: "fast clock",
        about: "one clock is further ahead than is allowed",
        processes: 2,
        clocks: [0, 4],
        max_skew: 1,
        faults: Budget::NONE.with(AwsError::LostReply, 1).with(AwsError::Suspend, 1),
        ..BASE
    },
    Configuration {
        name: "lag",
        about: "a new record is missing from Get and List for a while",
        deletion_wait: 1,
        sweeper: true,
        lag: 1,
        faults: USUAL.with(AwsError::Suspend, 1),
        ..BASE
    },
    Configuration {
        name: "exact",
        about: "records and intents keep their times, with lag and skew",
        lag: 2,
        max_skew: 1,
        clocks: [1, 0],
        exact: true,
        tags: false,
        faults: Budget::NONE.with(AwsError::Crash, 2),
        ..BASE
    },
    Configuration {
        name: "old sweeps",
        about: "sweeps are used that are out of date",
        deletion_wait: 1,
        sweeper: true,
        stale_sweeps: 2,
        lag: 1,
        queue: true,
        faults: USUAL,
        ..BASE
    },
    Configuration {
        name: "suspend",
        about: "suspend and resume, with a deadline for the start",
        suspended: true,
        start_deadline: Some(3),
        faults: Budget::NONE.with(AwsError::LostReply, 2).with(AwsError::Suspend, 3),
        ..BASE
    },
    Configuration {
        name: "refused",
        about: "AWS refuses the request; the user asks for a look",
        faults: Budget::NONE
            .with(AwsError::Refuse, 2)
            .with(AwsError::LostReply, 1)
            .with(AwsError::Suspend, 1)
            .with(AwsError::Delete, 1),
        ..BASE
    },
    Configuration {
        name: "class",
        about: "the class goes and comes back",
        bindings: &[Binding::Plain, Binding::NoClass],
        start_deadline: Some(3),
        faults: USUAL.with(AwsError::Binding, 2),
        ..BASE
    },
    Configuration {
        name: "key",
        about: "the key is disabled and enabled again, and a second attempt needs it",
        bindings: &[Binding::Key, Binding::KeyRefused],
        backoff_limit: 1,
        faults: Budget::NONE
            .with(AwsError::LostReply, 1)
            .with(AwsError::Binding, 2)
            .with(AwsError::JobFails, 1),
        ..BASE
    },
    Configuration {
        name: "attempts",
        about: "two attempts, and no sweeper that would hide a leak",
        backoff_limit: 1,
        faults: Budget::NONE
            .with(AwsError::LostReply, 2)
            .with(AwsError::JobFails, 2)
            .with(AwsError::Delete, 1),
        ..BASE
    },
    Configuration {
        name: "attempts, refused",
        about: "the second attempt is refused, suspended, or frozen",
        backoff_limit: 1,
        freezes: true,
        faults: Budget::NONE
            .with(AwsError::JobFails, 2)
            .with(AwsError::Refuse, 1)
            .with(AwsError::Crash, 1),
        ..BASE
    },
    Configuration {
        name: "attempts, frozen",
        about: "the second attempt is sent too late",
        backoff_limit: 1,
        freezes: true,
        faults: Budget::NONE.with(AwsError::JobFails, 2).with(AwsError::Suspend, 1),
        ..BASE
    },
    Configuration {
        name: "vanished",
        about: "a third party deletes the record of an acknowledged job",
        backoff_limit: 1,
        faults: Budget::NONE
            .with(AwsError::LostReply, 1)
            .with(AwsError::JobFails, 1)
            .with(AwsError::Vanish, 1)
            .with(AwsError::Delete, 1),
        ..BASE
    },
    Configuration {
        name: "vanished unseen",
        about: "a third party deletes a record before its acknowledgement: the documented residual, paid twice",
        faults: USUAL.with(AwsError::VanishUnseen, 1),
        ..BASE
    },
    Configuration {
        name: "foreign",
        about: "somebody makes a job of our name, and AWS returns tags",
        deletion_wait: 1,
        sweeper: true,
        faults: USUAL.with(AwsError::Plant, 1),
        ..BASE
    },
    Configuration {
        name: "foreign, untagged",
        about: "somebody made a job of our name, and only its age tells",
        tags: false,
        exact: true,
        faults: USUAL.with(AwsError::Plant, 1),
        ..BASE
    },
    Configuration {
        name: "retain",
        about: "the records outlive the object",
        deletion_wait: 1,
        sweeper: true,
        retain: true,
        backoff_limit: 1,
        faults: USUAL.with(AwsError::JobFails, 1),
        ..BASE
    },
    Configuration {
        name: "ttl",
        about: "the finished object deletes itself",
        deletion_wait: 1,
        sweeper: true,
        ttl: Some(1),
        faults: Budget::NONE
            .with(AwsError::Crash, ANY)
            .with(AwsError::LostReply, 1)
            .with(AwsError::JobFails, 1),
        ..BASE
    },
    Configuration {
        name: "identity",
        about: "a process is started again with another account's credentials, and gets the first ones back",
        deletion_wait: 1,
        sweeper: true,
        faults: Budget::NONE
            .with(AwsError::LostReply, 1)
            .with(AwsError::Suspend, 1)
            .with(AwsError::Delete, 1)
            .with(AwsError::AccountRegion, 2),
        ..BASE
    },
    Configuration {
        name: "identity lost",
        about: "the first credentials never come back; a deletion ends nevertheless",
        deletion_wait: 1,
        sweeper: true,
        identity_returns: false,
        faults: Budget::NONE
            .with(AwsError::LostReply, 1)
            .with(AwsError::Delete, 1)
            .with(AwsError::AccountRegion, 1),
        ..BASE
    },
    Configuration {
        name: "forced",
        about: "somebody removes the finalizer by hand; the sweeper stands still between its steps",
        deletion_wait: 1,
        sweeper: true,
        freezes: true,
        faults: Budget::NONE
            .with(AwsError::LostReply, 1)
            .with(AwsError::Delete, 1)
            .with(AwsError::Strip, 1),
        ..BASE
    },
    Configuration {
        name: "copy",
        about: "the object is copied with all of its metadata and status while its start is in doubt; the copy is set free",
        faults: Budget::NONE
            .with(AwsError::LostReply, 1)
            .with(AwsError::Copy, 1)
            .with(AwsError::Adopt, 1),
        ..BASE
    },
    Configuration {
        name: "copy, deleted",
        about: "the original or the copy is deleted",
        faults: Budget::NONE
            .with(AwsError::Copy, 1)
            .with(AwsError::Adopt, 1)
            .with(AwsError::Delete, 2),
        ..BASE
    },
    Configuration {
        name: "copy, swept",
        about: "the copy is made and set free while the sweeper is at work",
        deletion_wait: 1,
        sweeper: true,
        faults: Budget::NONE.with(AwsError::Copy, 1).with(AwsError::Adopt, 1),
        ..BASE
    },
    Configuration {
        name: "other cluster",
        about: "the object is restored in another cluster of another id",
        processes: 2,
        cluster_ids: &["c0ffee", "decaf"],
        faults: Budget::NONE
            .with(AwsError::Copy, 1)
            .with(AwsError::Adopt, 1)
            .with(AwsError::Delete, 1),
        ..BASE
    },
    Configuration {
        name: "same cluster id",
        about: "the object is restored in another cluster of the same id, whose sweeper knows no other object",
        deletion_wait: 1,
        sweeper: true,
        processes: 2,
        cluster_ids: &["c0ffee", "c0ffee"],
        faults: Budget::NONE.with(AwsError::Copy, 1).with(AwsError::Delete, 1),
        ..BASE
    },
    Configuration {
        name: "clone",
        about: "a second control plane from a snapshot: the same object, uid and all, in two places; nobody deletes",
        processes: 2,
        cluster_ids: &["c0ffee", "c0ffee"],
        clone: true,
        faults: Budget::NONE.with(AwsError::LostReply, 1).with(AwsError::Copy, 1),
        ..BASE
    },
];

impl Configuration {
    pub fn controls(&self) -> Controls {
        let ticks = |n: u64| Duration::from_secs(n * crate::clock::TICK);
        Controls {
            suspend: self.suspended,
            start_deadline: self.start_deadline.map(ticks),
            backoff_limit: self.backoff_limit,
            ttl: self.ttl.map(ticks),
        }
    }

    /// How long a Start can be on its way, in ticks.
    pub const fn bound(&self) -> i8 {
        self.window + 2 * self.max_skew
    }

    /// How many ticks back a time still matters.
    pub const fn past(&self) -> i8 {
        self.bound() + self.most_skew() + self.patience + 2
    }

    const fn most_skew(&self) -> i8 {
        let [a, b] = self.clocks;
        let (a, b) = (a.abs(), b.abs());
        if a > b { a } else { b }
    }

    pub const fn sweep_age(&self) -> i8 {
        self.stale_sweeps + self.most_skew()
    }

    /// How old a record can still grow in the eyes of anybody.
    pub const fn oldest(&self) -> u8 {
        let sweeper = if self.sweeper {
            self.bound() + self.most_skew() + 1
        } else {
            0
        };
        let exact = if self.exact { self.past() } else { 0 };
        let most = if sweeper > exact { sweeper } else { exact };
        let most = most.unsigned_abs();
        if most > self.lag { most } else { self.lag }
    }

    /// AWS accepts a request that was signed so many ticks from now.
    pub const fn valid(&self, signed: i8) -> bool {
        signed.abs() <= self.window
    }

    pub const fn cluster_of(&self, slot: usize) -> usize {
        if self.cluster_ids.len() > 1 { slot } else { 0 }
    }

    /// The slots that a process looks after.
    pub const fn serves(&self, process: usize, slot: usize) -> bool {
        self.cluster_ids.len() == 1 || process == slot
    }

    pub const fn uid_of(&self, slot: usize) -> usize {
        if self.clone { 0 } else { slot }
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.about)
    }
}
