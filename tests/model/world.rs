//! What there is: objects, processes, AWS, and what is still on its way between them.

use crate::shipped::{ObjectId, PassId};

/// An account by its index.
pub type Account = usize;
/// A job's name by its index: three attempts for each of two objects.
pub type Name = usize;

pub const NAMES: usize = 6;
pub const ATTEMPTS: usize = 3;

/// One state of the world. Times are relative to now.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State {
    /// The object, and a copy of it.
    pub objects: [Slot; 2],
    pub processes: [Process; 2],
    /// AWS's records, by account and name.
    pub records: [[Option<Observation>; NAMES]; 2],
    /// Starts on their way whose sender waits no more: a bit for each time of signing, the oldest first.
    pub strays: [[u8; NAMES]; 2],
    /// Which of the configuration's bindings is in force.
    pub binding: u8,
    /// Whose credentials each process has.
    pub identity: [u8; 2],
    pub sweeper: GarbageCollector,
    /// How often each fault may still happen.
    pub budget: Budget,
    /// What has ever happened to a name, whatever the operator knows of it.
    pub history: [u8; NAMES],
    /// The copy of the object in each process's cache, where a mutant relies on it.
    pub cache: [Option<ObjectId>; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Slot {
    Never,
    WatchedJob(ObjectId),
    Gone,
}

impl Slot {
    pub const fn id(self) -> Option<ObjectId> {
        match self {
            Self::WatchedJob(id) => Some(id),
            Self::Never | Self::Gone => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    Queued,
    Running,
    Completed,
    Failed,
}

impl Phase {
    pub const fn terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Observation {
    pub phase: Phase,
    /// Ticks since its creation, up to the configuration's interest in it.
    pub age: u8,
    /// Somebody else made it.
    pub foreign: bool,
}

/// What a pass has seen of the record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Seen {
    NotAsked,
    Unreachable,
    OtherIdentity,
    Absent,
    Found { record: Observation, tags: bool },
}

/// What a process of the operator is about to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Process {
    Idle,
    /// It has read the object, and will get the record.
    Looking {
        slot: usize,
        view: ObjectId,
        stale: bool,
        as_of: i8,
        name: Name,
        account: Account,
    },
    /// It has the answer.
    Seeing {
        slot: usize,
        view: ObjectId,
        stale: bool,
        as_of: i8,
        seen: Seen,
    },
    /// It has decided, `age` ticks ago.
    Decided(Pass),
    /// The intent is stored, the Start is not signed yet.
    Intent(Pass),
    /// The Start is signed and on its way.
    InFlight {
        pass: Pass,
        signed: i8,
    },
    /// It knows the outcome and is about to store it.
    Told {
        pass: Pass,
        reply: Reply,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pass {
    pub slot: usize,
    pub id: PassId,
    pub age: u8,
    /// The object was written by somebody else since this process read or wrote it.
    pub stale: bool,
}

impl Process {
    /// Somebody wrote an object.
    pub fn outdate(&mut self, written: usize) {
        match self {
            Self::Idle => {}
            Self::Looking { slot, stale, .. } | Self::Seeing { slot, stale, .. } => *stale |= *slot == written,
            Self::Decided(pass) | Self::Intent(pass) | Self::InFlight { pass, .. } | Self::Told { pass, .. } => {
                pass.stale |= pass.slot == written;
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reply {
    Accepted,
    Conflict,
    Ambiguous,
    Throttled,
    Invalid,
    Expired,
    Deleted,
    DeleteAbsent,
    DeleteBusy,
    DeleteAmbiguous,
}

/// The sweeper's progress, by sets of names and of objects.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GarbageCollector {
    Idle,
    /// It has listed these old and ended records.
    Listed(u8),
    /// It has listed these objects first: a mutant's order.
    Objects(u8),
    /// It is about to delete these.
    Deleting(u8),
}

/// What may go wrong or be changed by somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AwsError {
    /// A process dies and is started again.
    Crash,
    /// The reply to a Start or Delete is lost, before or after it was applied or while it is on its way.
    LostReply,
    Throttle,
    /// AWS refuses a Start for good.
    Refuse,
    /// AWS cannot be asked.
    Unreachable,
    /// A job fails.
    JobFails,
    /// A third party deletes a record that was acknowledged.
    Vanish,
    /// A third party deletes a record before its Start was acknowledged.
    VanishUnseen,
    /// A third party makes a job of our name.
    Plant,
    /// The user suspends or resumes.
    Suspend,
    /// The user deletes the object.
    Delete,
    /// The user asks for a look.
    Poke,
    /// The class, the flags or the key change.
    Binding,
    /// A process is started again with other credentials.
    AccountRegion,
    /// The object is copied.
    Copy,
    /// The copy is given free by its user.
    Adopt,
    /// Somebody removes the finalizer by hand.
    Strip,
}

impl AwsError {
    const ALL: [Self; FAULTS] = [
        Self::Crash,
        Self::LostReply,
        Self::Throttle,
        Self::Refuse,
        Self::Unreachable,
        Self::JobFails,
        Self::Vanish,
        Self::VanishUnseen,
        Self::Plant,
        Self::Suspend,
        Self::Delete,
        Self::Poke,
        Self::Binding,
        Self::AccountRegion,
        Self::Copy,
        Self::Adopt,
        Self::Strip,
    ];
}

pub const FAULTS: usize = 17;
/// Any number of times.
pub const ANY: u8 = u8::MAX;

/// How often each fault may happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Budget(pub [u8; FAULTS]);

impl Budget {
    pub const NONE: Self = Self([0; FAULTS]);

    pub const fn with(mut self, fault: AwsError, times: u8) -> Self {
        self.0[fault as usize] = times;
        self
    }

    /// The faults that can happen.
    pub fn named(&self) -> impl Iterator<Item = (String, u8)> {
        AwsError::ALL
            .iter()
            .map(|f| (format!("{f:?}"), self.of(*f)))
            .filter(|(_, times)| *times > 0)
    }

    pub const fn of(&self, fault: AwsError) -> u8 {
        self.0[fault as usize]
    }

    /// Uses the fault once, if it may still happen.
    pub const fn spend(&mut self, fault: AwsError) -> bool {
        match self.0[fault as usize] {
            0 => false,
            ANY => true,
            _ => {
                self.0[fault as usize] -= 1;
                true
            }
        }
    }
}

/// Bits of [`State::history`].
pub mod history {
    /// A Start was applied once.
    pub const APPLIED: u8 = 1;
    /// A Start was applied again.
    pub const TWICE: u8 = 2;
    /// The object said that AWS has the job.
    pub const ACKNOWLEDGED: u8 = 4;
    pub const FAILED: u8 = 8;
    pub const COMPLETED: u8 = 16;
    /// A third party deleted the record.
    pub const VANISHED: u8 = 32;
    /// A third party deleted it before anybody knew that it was there.
    pub const UNSEEN: u8 = 64;
    /// Somebody else made a job of this name.
    pub const FOREIGN: u8 = 128;
}
