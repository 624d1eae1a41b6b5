use std::time::Duration;

use diator::inbox::Seen;

/// A fact that the checker judges by. Numbers of processes, openings and tags are never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The engine has a message; a message that was published twice has two entries.
    Published {
        message: usize,
        entry: usize,
    },
    Started {
        process: usize,
    },
    /// The process is gone from one moment to the next.
    Crashed {
        process: usize,
    },
    /// The process is asked to end.
    Stopping {
        process: usize,
    },
    Stopped {
        process: usize,
        end: End,
    },
    Opened {
        process: usize,
        opening: usize,
    },
    OpenFailed {
        process: usize,
    },
    /// The engine regards the opening as over.
    Over {
        opening: usize,
    },
    /// The endpoint asks for deliveries.
    Asked {
        opening: usize,
        credit: usize,
    },
    /// The endpoint reads no more of the opening; what it gives back without a word waits for the end of its lock.
    Left {
        opening: usize,
    },
    /// The endpoint has the delivery, as long as it knows of until then. The engine knows of so many failures of its handlers.
    Given {
        opening: usize,
        tag: u64,
        entry: usize,
        message: usize,
        owner: Option<(u32, u64)>,
        until: Option<Duration>,
        failures: u32,
    },
    /// The engine took the verdict. `implied` is one that came with the verdict on a later delivery.
    Acked {
        opening: usize,
        entry: usize,
        message: usize,
        implied: bool,
    },
    Dead {
        opening: usize,
        entry: usize,
        message: usize,
        why: Why,
    },
    Released {
        opening: usize,
        entry: usize,
        message: usize,
    },
    Delayed {
        opening: usize,
        entry: usize,
        message: usize,
        after: Duration,
        failures: u32,
    },
    /// The endpoint asked for what the engine cannot do.
    Misused {
        opening: usize,
    },
    /// What the endpoint learned of a settlement.
    Answered {
        opening: usize,
        tag: u64,
        answer: Answer,
    },
    /// The endpoint knows that it has the delivery until then.
    Extended {
        opening: usize,
        tag: u64,
        until: Duration,
    },
    /// A call that extends has failed, for the endpoint; or one that settles has no answer.
    Unanswered {
        opening: usize,
        tag: u64,
    },
    /// The engine takes the delivery away because its time is over, since then.
    LockOver {
        opening: usize,
        tag: u64,
        since: Duration,
    },
    /// The engine takes the delivery away for no reason, or says that it is gone.
    LockLost {
        opening: usize,
        tag: u64,
    },
    /// The endpoint learns that the engine wants a partition back, until then.
    Revoking {
        opening: usize,
        owner: (u32, u64),
        by: Duration,
    },
    /// The endpoint has given a partition up.
    GivenUp {
        opening: usize,
        owner: (u32, u64),
    },
    /// The endpoint learns that a partition is gone.
    Lost {
        opening: usize,
        owner: (u32, u64),
    },
    Began {
        process: usize,
        message: usize,
        handler: usize,
    },
    Ended {
        process: usize,
        message: usize,
        handler: usize,
        how: How,
    },
    /// The handler was dropped before its end.
    Dropped {
        process: usize,
        message: usize,
        handler: usize,
    },
    /// The attempt log has noted that it begins.
    Noted {
        process: usize,
        noted: Noted,
        unended: u32,
    },
    /// The attempt log has noted it, and the process does not learn of that.
    NotLearned {
        process: usize,
        noted: Noted,
    },
    /// The attempt log has noted that it has ended.
    NotedEnd {
        process: usize,
        noted: Noted,
    },
    /// The attempt log has not noted that it has ended.
    NotNotedEnd {
        process: usize,
        noted: Noted,
    },
    /// The store has a new row; for the whole message where there is no handler.
    Kept {
        process: usize,
        row: i64,
        entry: usize,
        message: usize,
        handler: Option<usize>,
        state: RowState,
        failures: u32,
    },
    /// A process has a row in hand, until then if it does not extend the lease.
    Leased {
        process: usize,
        row: i64,
        lease: i64,
        until: Duration,
    },
    /// A process has a row in hand for longer.
    LeaseExtended {
        row: i64,
    },
    /// A lease has ended before its time.
    LeaseTaken {
        row: i64,
    },
    /// A lease has ended without a settlement, since then.
    LeaseOver {
        row: i64,
        lease: i64,
        since: Duration,
    },
    /// The store took what became of a row.
    RowSettled {
        process: usize,
        row: i64,
        lease: i64,
        verdict: RowVerdict,
    },
    /// An operator lets a dead letter be handled once more.
    Replayed {
        row: i64,
    },
    Discarded {
        row: i64,
    },
    /// What the inbox said to a process before a handler; it may not have heard of it.
    Entered {
        process: usize,
        message: usize,
        handler: usize,
        generation: u32,
        seen: Seen,
    },
    /// The transaction of a handler is committed: the handler has taken effect.
    Committed {
        process: usize,
        message: usize,
        handler: usize,
        generation: u32,
    },
    /// A call of the store has failed, or comes so late that nobody may wait for it.
    StoreFailed {
        process: usize,
    },
    /// From now on nothing misbehaves.
    Quiet,
    /// Everything is settled.
    Settled,
    /// Nothing more is waited for.
    GaveIn,
}

/// What a new row waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowState {
    Waiting { after: Duration },
    Dead { why: Why },
}

/// What became of a leased row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowVerdict {
    Handled,
    Later { after: Duration, failures: u32 },
    Released,
    Dead { why: Why },
}

/// What became of a handler's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Done,
    Failed,
    Panicked,
    /// No retry can help.
    Hopeless,
    /// Somebody else holds what it needs: it does not count.
    Busy,
    /// What all messages need is away: it does not count.
    Outage,
}

/// Why the endpoint made a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Failed,
    Unreadable,
    Unknown,
    Poison,
    /// Another delivery of the message is one.
    Other,
}

/// What an endpoint learned of its settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    LockLost,
    Failed,
    Refused,
}

/// How a process ended that was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Clean,
    /// It said that its deadline had come.
    Late,
    /// It could not start, or failed.
    Failed,
}

/// What the attempt log knows by an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Noted {
    Message(usize),
    /// A row of the message; of the whole message where there is no handler.
    Row {
        message: usize,
        handler: Option<usize>,
    },
}
