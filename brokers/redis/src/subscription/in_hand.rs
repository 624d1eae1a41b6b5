//! Which deliveries this opening has, and until when each of them is its own.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use diator::subscription::{Delivery, DeliveryTag, Ownership};
use tokio::time::Instant;

use super::entry::{Entry, EntryId};
use super::opening::Stream;
use super::time::after;

/// Where an entry stands: the stream, by its number in the opening, and the id.
pub(super) type Place = (usize, EntryId);

/// A delivery that was not settled.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) place: Place,
    /// `None` where it is this process's own for as long as its partition is.
    until: Option<Instant>,
    owner: Option<Ownership>,
    /// For a dead letter of an entry that the stream has dropped.
    pub(super) body: Arc<[u8]>,
    /// The stream has dropped the entry, so that nobody else can have it.
    pub(super) is_gone: bool,
}

/// The deliveries of an opening. It has no clock: the moment is a parameter.
pub(super) struct InHand {
    /// How long a delivery is locked; `None` where its partition is leased.
    lock: Option<Duration>,
    /// How many the endpoint can take.
    credit: usize,
    /// What was read, and not yielded.
    ready: VecDeque<Delivery>,
    held: HashMap<u64, Held>,
    /// The latest delivery of each entry.
    latest: HashMap<Place, u64>,
    next_tag: u64,
}

impl InHand {
    pub(super) fn new(lock: Option<Duration>) -> Self {
        let (ready, held, latest) = (VecDeque::new(), HashMap::new(), HashMap::new());
        Self { lock, credit: 0, ready, held, latest, next_tag: 0 }
    }

    /// How many may be read.
    pub(super) fn room(&self) -> usize {
        self.credit.saturating_sub(self.ready.len())
    }

    /// The endpoint can take so many.
    pub(super) fn grant(&mut self, credit: usize) {
        self.credit = credit;
    }

    /// An entry was given to this process, and its lock began then. An earlier delivery of it is lost.
    pub(super) fn admit(
        &mut self,
        number: usize,
        stream: &Stream,
        entry: Entry,
        received: Instant,
        owner: Option<Ownership>,
    ) {
        let (place, tag) = ((number, entry.id), self.next_tag);
        self.next_tag = tag.wrapping_add(1);
        if let Some(earlier) = self.latest.get(&place) {
            self.forget(*earlier);
        }
        let position = stream.position(entry.id);
        let mut delivery = entry.into_delivery(tag, stream.topic.clone(), position).with_received(received);
        delivery.owner = owner;
        let until = self.end(received);
        let held = Held { place, until, owner, body: delivery.body.clone(), is_gone: false };
        self.held.insert(tag, held);
        self.latest.insert(place, tag);
        self.ready.push_back(delivery);
    }

    /// What the endpoint is given now.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Delivery> {
        let mut taken = Vec::new();
        while taken.len() < self.credit
            && let Some(mut delivery) = self.ready.pop_front()
        {
            let tag = delivery.tag.0;
            match self.find(delivery.tag, now) {
                Some(held) => {
                    // It may have been extended since it was read.
                    let begun = held.until.zip(self.lock).and_then(|(until, lock)| until.checked_sub(lock));
                    delivery.received = begun.unwrap_or(delivery.received);
                    taken.push(delivery);
                }
                None => self.forget(tag),
            }
        }
        self.credit = self.credit.saturating_sub(taken.len());
        taken
    }

    /// A delivery that is this process's own.
    pub(super) fn find(&self, tag: DeliveryTag, now: Instant) -> Option<&Held> {
        self.held.get(&tag.0).filter(|held| held.until.is_none_or(|until| until > now))
    }

    /// Whether an entry is in hand, and this process's own.
    pub(super) fn has(&self, place: Place, now: Instant) -> bool {
        self.latest.get(&place).is_some_and(|tag| self.find(DeliveryTag(*tag), now).is_some())
    }

    /// Its lock began anew then.
    pub(super) fn extended(&mut self, tag: DeliveryTag, from: Instant) {
        let until = self.end(from);
        if let Some(held) = self.held.get_mut(&tag.0) {
            held.until = until;
        }
    }

    /// The stream has dropped its entry.
    pub(super) fn gone(&mut self, tag: DeliveryTag) {
        if let Some(held) = self.held.get_mut(&tag.0) {
            held.is_gone = true;
        }
    }

    /// It was settled, or is lost.
    pub(super) fn forget(&mut self, tag: u64) {
        if let Some(held) = self.held.remove(&tag)
            && self.latest.get(&held.place) == Some(&tag)
        {
            self.latest.remove(&held.place);
        }
        // They wait in the order of their tags.
        if let Ok(place) = self.ready.binary_search_by_key(&tag, |delivery| delivery.tag.0) {
            self.ready.remove(place);
        }
    }

    /// Nothing of these owners is this process's own any more.
    pub(super) fn drop_owners(&mut self, owners: &[Ownership]) {
        let is_theirs = |held: &Held| held.owner.is_some_and(|owner| owners.contains(&owner));
        let theirs: Vec<_> = self.held.iter().filter(|(_, held)| is_theirs(held)).map(|(tag, _)| *tag).collect();
        theirs.into_iter().for_each(|tag| self.forget(tag));
    }

    /// What was not yielded of these owners goes back; what was yielded can be settled.
    pub(super) fn drop_unyielded(&mut self, owners: &[Ownership]) {
        let is_theirs = |delivery: &&Delivery| delivery.owner.is_some_and(|owner| owners.contains(&owner));
        let theirs: Vec<_> = self.ready.iter().filter(is_theirs).map(|delivery| delivery.tag.0).collect();
        theirs.into_iter().for_each(|tag| self.forget(tag));
    }

    /// Those that were not yielded, and whose lock ends before that moment.
    pub(super) fn to_extend(&self, before: Instant) -> Vec<DeliveryTag> {
        let ends = |delivery: &&Delivery| {
            self.held.get(&delivery.tag.0).is_some_and(|held| held.until.is_some_and(|until| until < before))
        };
        self.ready.iter().filter(ends).map(|delivery| delivery.tag).collect()
    }

    /// Everything that is in hand.
    pub(super) fn all(&self) -> Vec<DeliveryTag> {
        self.held.keys().copied().map(DeliveryTag).collect()
    }

    fn end(&self, from: Instant) -> Option<Instant> {
        self.lock.map(|lock| after(from, lock))
    }
}
