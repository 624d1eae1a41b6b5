use tokio::sync::oneshot;

use super::work::Work;
use crate::subscription::{Ownership, Verdict};

/// A delivery that came and is not done with.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) owner: Option<Ownership>,
    pub(super) stage: Stage,
    /// `None` while a worker has it.
    pub(super) work: Option<Box<Work>>,
    pub(super) suspect: bool,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// It has not begun, or is to begin again.
    Waiting,
    Running(Run),
    /// It is no longer this process's own, but runs on: its key waits for that, and nothing of it is settled.
    Forgotten(Run),
    /// It was cut off, and has not ended yet: its key waits for that.
    Cut {
        forgotten: bool,
    },
    /// The store has not taken its rows yet.
    Keeping,
    /// Its verdict waits for earlier ones of its owner.
    Decided {
        said: Said,
    },
    /// The engine was told.
    Settling {
        said: Said,
    },
    /// The engine does not take its verdict.
    Refused,
}

/// What a verdict says of the message, to other deliveries of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It is handled.
    Acked,
    /// It is a dead letter.
    Dead,
    /// It comes again.
    Back,
}

impl Said {
    pub(super) fn by(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Ack => Self::Acked,
            Verdict::DeadLetter { .. } => Self::Dead,
            Verdict::Release | Verdict::Retry { .. } => Self::Back,
        }
    }
}

/// A delivery that a worker has.
#[derive(Debug)]
pub(super) struct Run {
    /// For one of which the attempt log knows: it has to note the end before it ends.
    pub(super) gently: Option<oneshot::Sender<()>>,
}

impl Stage {
    /// Whether a handler may be running at this moment.
    pub(super) fn runs(&self) -> bool {
        matches!(self, Self::Running(_) | Self::Forgotten(_) | Self::Cut { .. })
    }

    /// What its verdict says, if it has one that the engine may take.
    pub(super) fn said(&self) -> Option<Said> {
        match self {
            Self::Decided { said } | Self::Settling { said } => Some(*said),
            _ => None,
        }
    }

    /// Whether its handlers are done, and only the engine has to learn of it.
    pub(super) fn is_decided(&self) -> bool {
        matches!(self, Self::Decided { .. } | Self::Settling { .. } | Self::Refused)
    }
}

impl Held {
    pub(super) fn is_of(&self, owners: &[Ownership]) -> bool {
        self.owner.is_some_and(|owner| owners.contains(&owner))
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting)
    }

    /// Whether it may still be settled as handled.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(
            self.stage,
            Stage::Running(_) | Stage::Keeping | Stage::Settling { .. } | Stage::Cut { forgotten: false }
        )
    }
}
