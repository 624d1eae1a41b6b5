use diator::inbox::Seen;

use super::{Answer, End, Event, How, RowState, RowVerdict, Why};

impl Event {
    pub(super) fn as_words(self) -> Option<&'static str> {
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
            Self::Kept { state: RowState::Waiting { .. }, failures: 0, .. } => "a row that waits behind another one",
            Self::Kept { state: RowState::Waiting { .. }, .. } => "a row that is due later",
            Self::Kept { state: RowState::Dead { .. }, .. } => "a row of a dead letter",
            Self::RowSettled { verdict: RowVerdict::Handled, .. } => "a row was handled",
            Self::RowSettled { verdict: RowVerdict::Later { .. }, .. } => "a row was put off",
            Self::RowSettled { verdict: RowVerdict::Released, .. } => "a row went back",
            Self::RowSettled { verdict: RowVerdict::Dead { .. }, .. } => "a row became a dead letter",
            Self::LeaseOver { .. } => "a lease ran out",
            Self::LeaseTaken { .. } => "a lease ended before its time",
            Self::Replayed { .. } => "a dead letter was replayed",
            Self::Discarded { .. } => "a row was discarded",
            Self::Entered { seen: Seen::Behind, .. } => "a message came behind a row of its key",
            Self::Entered { seen: Seen::Before, .. } => "a message had been handled before",
            Self::Entered { seen: Seen::Busy, .. } => "another transaction was handling the message",
            Self::StoreFailed { .. } => "a call of the store failed, or came late",
            Self::NotLearned { .. } | Self::NotNotedEnd { .. } => "the attempt log failed",
            _ => return None,
        })
    }
}
