use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// What happened in a run, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace(Vec<(Duration, Event)>);

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
    /// A call that extends has failed, for the endpoint.
    NotExtended {
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
    /// The attempt log has noted that the message begins.
    Noted {
        process: usize,
        message: usize,
        unended: u32,
    },
    /// The attempt log has noted it, and the process does not learn of that.
    NotLearned {
        process: usize,
        message: usize,
    },
    /// The attempt log has noted that the message has ended.
    NotedEnd {
        process: usize,
        message: usize,
    },
    /// The attempt log has not noted that the message has ended.
    NotNotedEnd {
        process: usize,
        message: usize,
    },
    /// From now on nothing misbehaves.
    Quiet,
    /// Everything is settled.
    Settled,
    /// Nothing more is waited for.
    GaveIn,
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

impl Trace {
    pub(crate) fn note(&mut self, at: Duration, event: Event) {
        self.0.push((at, event));
    }

    pub(crate) fn events(&self) -> &[(Duration, Event)] {
        &self.0
    }
}

impl Trace {
    /// What the run has met, in words.
    #[must_use]
    pub fn met(&self) -> BTreeSet<&'static str> {
        self.0.iter().filter_map(|(_, event)| event.as_words()).collect()
    }
}

impl Event {
    fn as_words(self) -> Option<&'static str> {
        Some(match self {
            Self::Crashed { .. } => "a process crashed",
            Self::Stopped { end: End::Late, .. } => "a process ended at its deadline",
            Self::OpenFailed { .. } => "an opening failed",
            Self::Dead { why: Why::Failed, .. } => "a dead letter: failed for good",
            Self::Dead { why: Why::Poison, .. } => "a dead letter: ends processes",
            Self::Dead { why: Why::Unreadable, .. } => "a dead letter: unreadable",
            Self::Released { .. } => "a delivery went back",
            Self::Delayed { .. } => "a delivery went back for a time",
            Self::Answered { answer: Answer::LockLost, .. } => "a verdict came too late",
            Self::Answered { answer: Answer::Failed, .. } => "a verdict failed, or its answer got lost",
            Self::Answered { answer: Answer::Refused, .. } => "a verdict was refused",
            Self::LockOver { .. } => "a lock ran out",
            Self::LockLost { .. } => "a lock was taken away",
            Self::Revoking { .. } => "a partition was wanted back",
            Self::Lost { .. } => "a partition was lost",
            Self::Ended { how: How::Panicked, .. } => "a handler panicked",
            Self::Ended { how: How::Outage, .. } => "an outage paused the endpoint",
            Self::Dropped { .. } => "a handler was cut off",
            Self::NotLearned { .. } | Self::NotNotedEnd { .. } => "the attempt log failed",
            _ => return None,
        })
    }
}

/// A line for each event.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, event) in &self.0 {
            writeln!(f, "{:>9.3} {event:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
