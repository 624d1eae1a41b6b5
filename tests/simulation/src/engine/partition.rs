use diator::subscription::DeliveryTag;
use tokio::time::Instant;

/// A part of a log, which one opening at most owns.
#[derive(Default)]
pub(super) struct Partition {
    pub(super) entries: Vec<Entry>,
    pub(super) epoch: u64,
    pub(super) owner: Option<Owner>,
}

#[derive(Clone, Copy)]
pub(super) struct Owner {
    pub(super) opening: usize,
    pub(super) revoked_by: Option<Instant>,
    /// What comes next, where the engine only knows how far the owner has come.
    pub(super) next: usize,
}

pub(super) struct Entry {
    pub(super) number: usize,
    pub(super) message: usize,
    pub(super) settled: bool,
    /// To whom it is given.
    pub(super) given: Option<(DeliveryTag, Option<Instant>)>,
    pub(super) settled_by: Option<(usize, DeliveryTag)>,
    pub(super) from: Instant,
    pub(super) times: u32,
    pub(super) failures: u32,
}

impl Partition {
    pub(super) fn free(&mut self) {
        self.owner = None;
        self.entries.iter_mut().for_each(|entry| entry.given = None);
    }

    pub(super) fn give_to(&mut self, opening: usize) {
        self.epoch += 1;
        let next = self.entries.iter().position(|entry| !entry.settled).unwrap_or(self.entries.len());
        self.owner = Some(Owner { opening, revoked_by: None, next });
    }

    /// The next that the owner may have.
    pub(super) fn next(&self, knows_each: bool, now: Instant) -> Option<usize> {
        let owner = self.owner.filter(|owner| owner.revoked_by.is_none())?;
        if !knows_each {
            return (owner.next < self.entries.len()).then_some(owner.next);
        }
        self.entries.iter().position(|entry| !entry.settled && entry.given.is_none() && entry.from <= now)
    }
}
