use diator::SendError;
use diator::container::CommitOutcome;

/// What is known of the unit of work of a message that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Nothing that it did was kept.
    No,
    /// What it did stands.
    Yes,
    /// Nobody knows.
    Unknown,
}

/// Stands for `SendError::committed()`, which is to come in the place of `is_committed()`.
pub fn committed<E>(error: &SendError<E>) -> Committed {
    match error {
        SendError::Commit { outcome: CommitOutcome::Unknown, .. } => Committed::Unknown,
        error if error.is_committed() => Committed::Yes,
        _ => Committed::No,
    }
}
