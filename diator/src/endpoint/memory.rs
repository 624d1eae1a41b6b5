use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::outcome::Outcome;
use crate::subscription::DeliveryTag;

const MOST: usize = 4_096;
/// Longer than the delays of any policy together.
const LONGEST: Duration = Duration::from_secs(2 * 3_600);

/// What became of messages that this process gave back before they were done, or whose verdict did not reach the engine: their
/// handlers go on where they were, if the messages come here again, in this opening or a later one.
///
/// It keeps nothing of a message that was settled: an operator who delivers it once more wants it handled. It knows a message by its
/// id; one that cannot be read has none, and becomes a dead letter.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The delivery that stands for each message which is in hand.
    claims: HashMap<Uuid, DeliveryTag>,
    known: HashMap<Uuid, Known>,
    /// From the oldest on; it may hold some that are gone.
    order: VecDeque<(Instant, Uuid)>,
}

#[derive(Debug)]
struct Known {
    since: Instant,
    outcomes: Vec<Outcome>,
    begun: u32,
}

impl Memory {
    /// Whether this delivery is to be the one that its message is handled by: another one may be.
    pub(super) fn claim(&mut self, message: Uuid, tag: DeliveryTag) -> bool {
        *self.claims.entry(message).or_insert(tag) == tag
    }

    /// Whether the delivery stood for the message, and now does no longer.
    pub(super) fn release(&mut self, message: Uuid, tag: DeliveryTag) -> bool {
        match self.claims.entry(message) {
            Entry::Occupied(claim) if *claim.get() == tag => {
                claim.remove();
                true
            }
            _ => false,
        }
    }

    /// The delivery that stands for the message.
    pub(super) fn claimed_by(&self, message: Uuid) -> Option<DeliveryTag> {
        self.claims.get(&message).copied()
    }

    /// A new opening begins, and nothing of an earlier one runs.
    pub(super) fn release_all(&mut self) {
        self.claims.clear();
    }

    /// `begun` beginnings of it may stand in the attempt log that were no crash.
    pub(super) fn remember(&mut self, message: Uuid, outcomes: Vec<Outcome>, begun: u32, now: Instant) {
        let is_untouched = |outcome: &Outcome| outcome.is_pending() && outcome.failures() == Default::default();
        let is_untouched = outcomes.iter().all(is_untouched);
        if is_untouched && begun == 0 {
            return;
        }
        let outcomes = match self.known.remove(&message) {
            // It has come again and not run: what is known of its handlers stays.
            Some(known) if is_untouched => known.outcomes,
            _ => outcomes,
        };
        self.known.insert(message, Known { since: now, outcomes, begun });
        self.order.push_back((now, message));
        while let Some(&(since, oldest)) = self.order.front()
            && (self.order.len() > MOST || since + LONGEST < now)
        {
            self.order.pop_front();
            if self.known.get(&oldest).is_some_and(|known| known.since == since) {
                self.known.remove(&oldest);
            }
        }
    }

    /// How many beginnings of a message the attempt log may count that were no crash.
    pub(super) fn begun(&self, message: Uuid) -> u32 {
        self.known.get(&message).map_or(0, |known| known.begun)
    }

    /// What is known of a message that has come again.
    pub(super) fn recall(&mut self, message: Uuid, outcomes: &mut [Outcome], now: Instant) {
        if self.known.is_empty() {
            return;
        }
        let Some(Known { since, outcomes: known, .. }) = self.known.remove(&message) else { return };
        if since + LONGEST < now {
            return;
        }
        for outcome in outcomes {
            let Some(known) = known.iter().find(|known| known.handler == outcome.handler) else { continue };
            outcome.state = known.state.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::outcome::{Failures, State, Wait};
    use crate::registry::HandlerId;

    fn outcomes() -> Vec<Outcome> {
        ["a", "b"].map(|id| Outcome::new(HandlerId(id))).into()
    }

    #[test]
    fn handlers_go_on_where_they_were_once() {
        let (mut memory, now, message) = (Memory::default(), Instant::now(), Uuid::nil());
        let mut partly = outcomes();
        let failures = Failures { counted: 2, uncounted: 0 };
        partly[0].state = State::Done;
        partly[1].state = State::Pending { failures, due: Some(now), wait: Wait::InHand, why: None };
        memory.remember(message, partly, 0, now);

        let mut again = outcomes();
        memory.recall(message, &mut again, now);
        assert_eq!((again[0].state.clone(), again[1].failures(), again[1].runs(now)), (State::Done, failures, true));
        let mut once_more = outcomes();
        memory.recall(message, &mut once_more, now);
        assert!(once_more.iter().all(Outcome::is_pending));
    }

    #[test]
    fn what_comes_again_and_does_not_run_forgets_nothing() {
        let (mut memory, now, message) = (Memory::default(), Instant::now(), Uuid::nil());
        let mut partly = outcomes();
        partly[0].state = State::Done;
        memory.remember(message, partly, 1, now);
        for unread in [Vec::new(), outcomes()] {
            memory.remember(message, unread, 2, now);
        }
        let mut again = outcomes();
        assert_eq!(memory.begun(message), 2);
        memory.recall(message, &mut again, now);
        assert_eq!((again[0].is_done(), again[1].is_pending()), (true, true));
    }

    #[test]
    fn one_delivery_stands_for_a_message() {
        let (mut memory, message) = (Memory::default(), Uuid::nil());
        assert!(memory.claim(message, DeliveryTag(1)) && memory.claim(message, DeliveryTag(1)));
        assert!(!memory.claim(message, DeliveryTag(2)) && !memory.release(message, DeliveryTag(2)));
        assert!(memory.release(message, DeliveryTag(1)) && memory.claim(message, DeliveryTag(2)));
    }

    #[test]
    fn it_is_bounded_in_number_and_time() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let mut partly = outcomes();
        partly[0].state = State::Done;
        for message in 0..5_000 {
            memory.remember(Uuid::from_u128(message), partly.clone(), 0, now);
        }
        assert_eq!((memory.known.len(), memory.order.len()), (MOST, MOST));
        memory.remember(Uuid::from_u128(9), outcomes(), 0, now);
        assert_eq!(memory.known.len(), MOST);
        memory.remember(Uuid::from_u128(9_999), partly, 0, now + LONGEST + Duration::from_secs(1));
        assert_eq!((memory.known.len(), memory.order.len()), (1, 1));
    }
}
