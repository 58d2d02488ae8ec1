//! Condition types and reasons, with which an object reports its state.
//!
//! Types follow kstatus (`Ready`, `Reconciling`, `Stalled`) and batch/v1 Job (`Complete`, `Failed`, `Suspended`).
//! `Finished` is true after both success and failure, so that one `kubectl wait` is enough.

/// `True` only when the job completed. Its reason always gives the current state of the job.
pub const READY: &str = "Ready";
/// The operator works on the object, or waits for something that needs no action. Absent otherwise (kstatus).
pub const RECONCILING: &str = "Reconciling";
/// The object makes no progress until somebody acts; the message says how. Absent otherwise (kstatus).
pub const STALLED: &str = "Stalled";
/// AWS completed the job (batch/v1 Job).
pub const COMPLETE: &str = "Complete";
/// The job ended without a result and is not retried (batch/v1 Job).
pub const FAILED: &str = "Failed";
/// Submission is held back by `spec.suspend` (batch/v1 Job).
pub const SUSPENDED: &str = "Suspended";
/// The job ended, with or without a result.
pub const FINISHED: &str = "Finished";
/// The effective encryption is settled and its key is usable, as far as the operator can tell.
pub const ENCRYPTION_READY: &str = "EncryptionReady";

macro_rules! reasons {
    ($($(#[doc = $cause:literal])+ $name:ident => $cure:literal,)+) => {
        /// The reason of a condition. The text of a variant says what happened; [`Reason::cure`] says what to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[doc = $cause])+ $name,)+
        }

        impl Reason {
            /// All reasons, in the order of their documentation.
            pub const ALL: &[Reason] = &[$(Reason::$name,)+];

            /// The CamelCase text in conditions and Events.
            pub const fn as_str(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name),)+ }
            }

            /// What happened, for the reference documentation.
            pub const fn cause(self) -> &'static str {
                match self { $(Reason::$name => concat!($($cause),+),)+ }
            }

            /// What to do about it, for the reference documentation.
            pub const fn cure(self) -> &'static str {
                match self { $(Reason::$name => $cure,)+ }
            }
        }
    };
}

reasons! {
    /// The operator has seen the object and will submit it.
    Accepted => "Nothing; it is submitted within seconds.",
    /// `spec.suspend` holds the submission back.
    Suspended => "Set `spec.suspend` to false to submit the job.",
    /// `spec.suspend` was set after the submission; Amazon Transcribe cannot stop a job.
    AlreadySubmitted => "Nothing; the running job is followed to its end.",
    /// `spec.suspend` is false again.
    Resumed => "Nothing.",
    /// The account's request rate is used up; the job waits in the operator's queue.
    WaitingForQuota => "Nothing; it is submitted as the account's quota allows.",
    /// AWS throttled the request or all concurrent jobs are running.
    Throttled => "Nothing; it is tried again with growing delays. Ask AWS for a higher quota if it lasts.",
    /// This operator process is not the leader at the moment, or its lease is about to end.
    NotLeader => "Nothing; the leader acts.",
    /// The clocks of the operator and of AWS differ by more than is safe, so nothing is submitted.
    ClockSkew => "Set the clock of the operator's node (NTP).",
    /// A Start was sent and its outcome is not known yet.
    Submitting => "Nothing; the operator asks AWS, and submits the job again under the same name only if AWS has no such job.",
    /// Amazon Transcribe has accepted the job and queued it.
    Queued => "Nothing.",
    /// Amazon Transcribe is working on the job.
    InProgress => "Nothing.",
    /// A submission whose outcome is unknown is being withdrawn, because it is no longer allowed.
    Withdrawing => "Nothing; the message says until when a late request could still arrive.",
    /// An attempt failed and another follows.
    BackOff => "Nothing; `status.nextAttemptTime` says when the next attempt starts.",
    /// AWS could not be reached, or gave no answer.
    AwsUnreachable => "Check the operator's network path and credentials to AWS; it is tried again by itself.",
    /// The operator's credentials are for a different account or Region than the job's.
    IdentityChanged => "Give the operator back its credentials for the account and Region in `status.submission`.",
    /// The record of the job was not found; the operator looks again before it declares the job lost.
    RecordMissing => "Nothing; it is looked for again at the time in the message.",
    /// The job completed; `status.output` says where the transcript is.
    Completed => "Nothing.",
    /// Amazon Transcribe ended the job as FAILED; `status.failureReason` has its reason.
    JobFailed => "Correct what the reason names and create a new object.",
    /// The job was not submitted within `spec.startDeadlineSeconds`; nothing was billed.
    StartDeadlineExceeded => "Create a new object, with a later deadline if need be.",
    /// AWS acknowledged the job, but its record has vanished (records are kept for 90 days, and anybody with access can delete them).
    RecordLost => "Look for the transcript at the output location; create a new object to run the job again.",
    /// AWS has a job of this name that this object did not create. The operator leaves it alone.
    NameConflict => "Create a new object; its job gets another name.",
    /// The spec breaks a rule.
    InvalidSpec => "Correct the field that the message names.",
    /// The class does not allow what the field names.
    NotAllowed => "Change the field that the message names, or ask the platform team to allow it.",
    /// A job needs an output bucket, and neither the spec nor the class names one.
    OutputRequired => "Set the field that the message names.",
    /// AWS requires a data-access role for this kind of job, and neither the spec nor the class names one.
    RoleRequired => "Set the field that the message names to a role that the class allows, or ask the platform team for a default one.",
    /// The key reference cannot be resolved: the operator may not describe the alias, or AWS KMS answered about another key.
    KeyNotResolvable => "Allow the operator `kms:DescribeKey`, or set `spec.encryption.kmsKeyId` to the ARN of a key (`arn:aws:kms:…:key/…`); it is tried again slowly.",
    /// The key is in another Region or partition than the job.
    KeyRegionMismatch => "Use a key of the job's Region.",
    /// The class does not allow the key.
    KeyNotAllowed => "Use a key that the class allows, or leave `spec.encryption.kmsKeyId` out for the class's own.",
    /// The class accepts no job without a key.
    KeyRequired => "Set `spec.encryption.kmsKeyId` to a key that the class allows.",
    /// AWS KMS has no such key.
    KeyNotFound => "Correct `spec.encryption.kmsKeyId`; it is also looked for again slowly.",
    /// The key is an AWS managed key; those cannot be shared with Amazon Transcribe.
    KeyNotCustomerManaged => "Use a customer managed key.",
    /// The key is not a symmetric encryption key.
    KeyNotSymmetric => "Use a key with KeySpec SYMMETRIC_DEFAULT and KeyUsage ENCRYPT_DECRYPT.",
    /// The key is disabled.
    KeyDisabled => "Enable the key, or use another one; it is tried again slowly.",
    /// The key is scheduled for deletion.
    KeyPendingDeletion => "Cancel the deletion and enable the key, or use another one; it is tried again slowly.",
    /// The key has no key material yet.
    KeyPendingImport => "Import the key material, or use another key; it is tried again slowly.",
    /// The key is being created, or its custom key store is disconnected.
    KeyUnavailable => "Wait, or connect the custom key store; it is tried again.",
    /// AWS KMS gave no answer about the key: it is slow, throttled or unreachable.
    KmsUnreachable => "Nothing; it is asked again until it answers. Nothing is submitted meanwhile.",
    /// The key is settled, but something about its use could not be proven; the message says what.
    KeyUseUnproven => "Nothing, if the job completes; otherwise allow what the message names in the key's policy.",
    /// The class asks for proof that the key can be used with the job's encryption context, and AWS KMS denies it.
    KeyUseDenied => "Allow the use in the key's policy, or use another key; it is tried again slowly.",
    /// No class admits this object.
    NoClass => "Set `spec.transcriptionClassName` to a class that the message names.",
    /// Amazon Transcribe refused the request.
    Refused => "Correct what the message names; it is also tried again slowly, in case the cause was outside the spec.",
    /// AWS denied access.
    AccessDenied => "Grant the permission that the message names; it is tried again slowly.",
    /// AWS keeps refusing this job with LimitExceededException while it accepts others: its media may be too long.
    LimitOrInputTooLong => "Split the media if it is longer than 4 hours or larger than 2 GB; it is tried again slowly.",
    /// The object is a copy or was restored from a backup: it carries another object's owner annotation.
    Restored => "Remove the annotation `transcribe-operator.io/owner-uid` to submit it as a new job.",
    /// The stored object cannot be read.
    Unreadable => "Correct the object or delete it; the message names the field.",
    /// The operator failed on this object because of a bug.
    InternalError => "Report it with the operator's log; other objects are not affected.",
    /// The object is being deleted and waits until its AWS record may be removed.
    Deleting => "Nothing; the message says what it waits for and until when.",
    /// Neither the job nor the class names a key, so AWS encrypts the output with its own keys (SSE-S3).
    ServiceManagedKey => "Set `spec.encryption.kmsKeyId` to use a key of your own.",
    /// The key is settled: its ARN is in `status.encryption`.
    KeyResolved => "Nothing.",
}
