use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::outcome::Outcome;
use crate::subscription::DeliveryTag;

const MOST: usize = 4_096;
/// Longer than what any policy lets a message wait.
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
    outcomes: HashMap<Uuid, (Instant, Vec<Outcome>)>,
    /// From the oldest on; it may hold some that are gone.
    order: VecDeque<(Instant, Uuid)>,
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

    pub(super) fn remember(&mut self, message: Uuid, outcomes: Vec<Outcome>, now: Instant) {
        let untouched = |outcome: &Outcome| outcome.is_pending() && outcome.failures() == Default::default();
        if outcomes.iter().all(untouched) {
            return;
        }
        self.outcomes.insert(message, (now, outcomes));
        self.order.push_back((now, message));
        while let Some(&(since, oldest)) = self.order.front()
            && (self.order.len() > MOST || since + LONGEST < now)
        {
            self.order.pop_front();
            if self.outcomes.get(&oldest).is_some_and(|(other, _)| *other == since) {
                self.outcomes.remove(&oldest);
            }
        }
    }

    /// What is known of a message that has come again.
    pub(super) fn recall(&mut self, message: Uuid, outcomes: &mut [Outcome], now: Instant) {
        if self.outcomes.is_empty() {
            return;
        }
        let Some((since, known)) = self.outcomes.remove(&message) else { return };
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
    use crate::endpoint::outcome::Failures;
    use crate::endpoint::outcome::State;
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
        partly[1].state = State::Pending { failures, due: Some(now), later: false };
        memory.remember(message, partly, now);

        let mut again = outcomes();
        memory.recall(message, &mut again, now);
        assert_eq!((again[0].state.clone(), again[1].failures(), again[1].runs(now)), (State::Done, failures, true));
        let mut once_more = outcomes();
        memory.recall(message, &mut once_more, now);
        assert!(once_more.iter().all(Outcome::is_pending));
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
            memory.remember(Uuid::from_u128(message), partly.clone(), now);
        }
        assert_eq!((memory.outcomes.len(), memory.order.len()), (MOST, MOST));
        memory.remember(Uuid::from_u128(9), outcomes(), now);
        assert_eq!(memory.outcomes.len(), MOST);
        memory.remember(Uuid::from_u128(9_999), partly, now + LONGEST + Duration::from_secs(1));
        assert_eq!((memory.outcomes.len(), memory.order.len()), (1, 1));
    }
}
