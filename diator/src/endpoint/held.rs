use tokio::task::AbortHandle;

use super::work::Work;
use crate::subscription::Ownership;

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
    Running(AbortHandle),
    /// It is no longer this process's own, but runs on: its key waits for that, and nothing of it is settled.
    Forgotten(AbortHandle),
    /// Its verdict waits for earlier ones of its owner.
    Decided,
    /// The engine was told.
    Settling,
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
        matches!(self.stage, Stage::Running(_) | Stage::Settling)
    }
}
