use std::collections::{HashMap, HashSet};

use tokio::time::Instant;

use super::circuit::{CircuitState, Circuits};
use crate::broker::{EventRoute, MessageBroker, OutboundMessage};
use crate::outbox::{OutboxRow, ParkedKey, Place, SkippedRoute};

/// What may be published together: messages of which none has to wait for another.
pub(super) type Wave = Vec<Group>;

/// The messages of a wave that go to one destination.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) destination: String,
    /// Where the messages stand, and how often they were refused; as many, and in the same order.
    pub(super) rows: Vec<(Place, u32)>,
    pub(super) messages: Vec<OutboundMessage>,
}

/// Keys of which something did not go, so that the rest of them must wait for the next pass.
pub(super) type Held = HashSet<ParkedKey>;

/// Orders claimed rows into waves. What must not go now is left out, and its key is held for what comes behind it: not for the
/// rows of the waves, which stand before it.
pub(super) fn plan(
    rows: Vec<OutboxRow>,
    broker: &dyn MessageBroker,
    circuits: &mut Circuits,
    held: &Held,
    behind: &mut Held,
) -> Vec<Wave> {
    let now = Instant::now();
    let numbers = wave_numbers(&rows, broker.guarantees().ordered_by_key);
    let mut waves: Vec<Wave> = Vec::new();
    let mut tried = HashSet::new();
    for (OutboxRow { place, attempts, message }, number) in rows.into_iter().zip(numbers) {
        let destination = std::borrow::Cow::Borrowed(""); // TODO
        let goes = match circuits.state(&destination, now) {
            CircuitState::Closed => true,
            CircuitState::Trial => {
                !tried.contains(&*destination) && !is_held(&message, held) && !is_held(&message, behind)
            }
            CircuitState::Open => {
                circuits.note_route(SkippedRoute::of(&message), &destination);
                false
            }
        };
        if !goes || is_held(&message, held) || is_held(&message, behind) {
            hold(&message, behind);
            continue;
        }
        if circuits.state(&destination, now) == CircuitState::Trial {
            tried.insert(destination.to_string());
        }
        if waves.len() <= number {
            waves.resize_with(number + 1, Vec::new);
        }
        let group = group_of(&mut waves[number], &destination);
        group.rows.push((place, attempts));
        group.messages.push(message);
    }
    waves
}

/// For each row the number of its wave: a key has one message in each.
fn wave_numbers(rows: &[OutboxRow], in_order: bool) -> Vec<usize> {
    let mut seen: HashMap<(Option<&str>, &str), usize> = HashMap::new();
    let mut numbers = Vec::with_capacity(rows.len());
    for OutboxRow { message, .. } in rows {
        let next = message
            .key
            .as_deref()
            .filter(|_| in_order)
            .map(|key| seen.entry((message.topic.as_deref(), key)).or_default());
        numbers.push(next.map_or(0, |next| std::mem::replace(next, *next + 1)));
    }
    numbers
}

fn group_of<'w>(wave: &'w mut Wave, destination: &str) -> &'w mut Group {
    let place = wave.iter().position(|group| group.destination == destination).unwrap_or_else(|| {
        wave.push(Group { destination: destination.to_owned(), rows: Vec::new(), messages: Vec::new() });
        wave.len() - 1
    });
    &mut wave[place]
}

pub(super) fn is_held(message: &OutboundMessage, held: &Held) -> bool {
    !held.is_empty() && ParkedKey::of(message).is_some_and(|key| held.contains(&key))
}

pub(super) fn hold(message: &OutboundMessage, held: &mut Held) {
    held.extend(ParkedKey::of(message));
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::InMemoryBroker;
    use crate::broker::MessageType;

    fn row(seq: i64, key: Option<&str>) -> OutboxRow {
        let message = OutboundMessage::new(Uuid::nil(), MessageType::Notification, "A", *b"{}").with_topic("t");
        let message = OutboundMessage { key: key.map(str::to_owned), ..message };
        OutboxRow { place: Place { partition: 0, seq }, attempts: 0, message }
    }

    fn seqs(waves: &[Wave]) -> Vec<Vec<i64>> {
        let seqs = |wave: &Wave| wave.iter().flat_map(|group| group.rows.iter().map(|(place, _)| place.seq)).collect();
        waves.iter().map(seqs).collect()
    }

    #[test]
    fn a_wave_has_one_message_of_each_key() {
        let rows = vec![
            row(1, Some("a")),
            row(2, Some("b")),
            row(3, Some("a")),
            row(4, None),
            row(5, None),
            row(6, Some("a")),
        ];
        let waves = plan(rows, &InMemoryBroker::new(), &mut Circuits::default(), &Held::new(), &mut Held::new());
        assert_eq!(seqs(&waves), [vec![1, 2, 4, 5], vec![3], vec![6]]);
    }

    #[test]
    fn an_open_circuit_holds_its_keys() {
        let (mut circuits, mut behind) = (Circuits::default(), Held::new());
        circuits.open("", "away".to_owned(), None, Instant::now());
        let waves = plan(
            vec![row(1, Some("a")), row(2, None)],
            &InMemoryBroker::new(),
            &mut circuits,
            &Held::new(),
            &mut behind,
        );
        assert!(waves.is_empty());
        assert_eq!(behind.into_iter().map(|key| key.key).collect::<Vec<_>>(), ["a"]);
        assert_eq!(circuits.skipped_routes(Instant::now()).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_is_one_message() {
        let (mut circuits, mut behind) = (Circuits::default(), Held::new());
        circuits.open("", "away".to_owned(), None, Instant::now());
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let rows = vec![row(1, Some("a")), row(2, Some("b")), row(3, Some("a"))];
        let waves = plan(rows, &InMemoryBroker::new(), &mut circuits, &Held::new(), &mut behind);
        assert_eq!(seqs(&waves), [[1]]);
    }

    #[test]
    fn what_is_held_waits() {
        let held = Held::from([ParkedKey { topic: Some("t".to_owned()), key: "a".to_owned() }]);
        let rows = vec![row(1, Some("a")), row(2, Some("b"))];
        let waves = plan(rows, &InMemoryBroker::new(), &mut Circuits::default(), &held, &mut Held::new());
        assert_eq!(seqs(&waves), [[2]]);
    }
}
