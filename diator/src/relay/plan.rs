use std::collections::{HashMap, HashSet};

use tokio::time::Instant;

use super::circuit::Allowance;
use super::publish::Publisher;
use crate::broker::{EventRoute, OutboundMessage};
use crate::outbox::{OutboxRow, ParkedKey, Place, SkippedRoute};

/// Messages that may be published together, because none has to wait for another.
pub(super) type Wave = Vec<Group>;

/// The messages of a wave that go to one destination.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) destination: String,
    /// The place of each message and the number of its refusals, in the order of the messages.
    pub(super) rows: Vec<(Place, u32)>,
    pub(super) messages: Vec<OutboundMessage>,
}

/// Keys whose messages must wait for the next pass, because one of them was not published.
pub(super) type Held = HashSet<ParkedKey>;

impl Publisher {
    /// Orders claimed rows into waves.
    ///
    /// It leaves out the rows that must not be published now, and holds their keys for the rows that come after them.
    pub(super) fn plan(&mut self, rows: Vec<OutboxRow>) -> Vec<Wave> {
        let now = Instant::now();
        let numbers = wave_numbers(&rows);
        let trials = self.trials(&rows, &numbers, now);
        let mut waves: Vec<Wave> = Vec::new();
        let mut taken = HashMap::new();
        for (row, number) in rows.into_iter().zip(numbers) {
            let destination = self.broker.destination(&EventRoute::from(&row.message)).into_owned();
            let taken = taken.entry(destination.clone()).or_default();
            if !self.may_go(&row, now) || !self.is_let_in(&row, &destination, &trials, *taken, now) {
                hold(&row.message, &mut self.behind);
                continue;
            }
            *taken += 1;
            if waves.len() <= number {
                waves.resize_with(number + 1, Vec::new);
            }
            let group = group_of(&mut waves[number], &destination);
            group.rows.push((row.place, row.attempts));
            group.messages.push(row.message);
        }
        waves
    }

    /// Whether no earlier row holds the row back, and its wait after a refusal is over.
    fn may_go(&self, row: &OutboxRow, now: Instant) -> bool {
        let is_due = self.refused.get(&row.place).is_none_or(|&due| due <= now);
        is_due && !is_held(&row.message, &self.held) && !is_held(&row.message, &self.behind)
    }

    /// Whether the row's destination may get one more message.
    fn is_let_in(
        &mut self,
        row: &OutboxRow,
        destination: &str,
        trials: &HashMap<String, Place>,
        taken: usize,
        now: Instant,
    ) -> bool {
        let allowance = self.circuits.allowance(destination, now);
        // The cursor has passed earlier messages of the key, and a later one must not overtake them.
        if allowance == Allowance::Nothing || self.shut.contains(destination) {
            self.circuits.note_route(SkippedRoute::of(&row.message), destination);
            self.shut.insert(destination.to_owned());
            return false;
        }
        match allowance {
            Allowance::All => true,
            Allowance::AtMost(allowance) => taken < allowance,
            Allowance::Trial { .. } => trials.get(destination) == Some(&row.place),
            Allowance::Nothing => false,
        }
    }

    /// The one row for each destination that is on trial.
    fn trials(&self, rows: &[OutboxRow], numbers: &[usize], now: Instant) -> HashMap<String, Place> {
        if self.circuits.are_all_closed() {
            return HashMap::new();
        }
        let mut candidates: HashMap<String, (u32, Vec<Place>)> = HashMap::new();
        // Only the first row of each key: the others would have to wait for it.
        let first = rows.iter().zip(numbers).filter(|(row, number)| **number == 0 && self.may_go(row, now));
        for (row, _) in first {
            let destination = self.broker.destination(&EventRoute::from(&row.message));
            if self.shut.contains(&*destination) {
                continue;
            }
            if let Allowance::Trial { failures } = self.circuits.allowance(&destination, now) {
                candidates.entry(destination.into_owned()).or_insert((failures, Vec::new())).1.push(row.place);
            }
        }
        let pick =
            |(failures, places): (u32, Vec<Place>)| places[usize::try_from(failures).unwrap_or(0) % places.len()];
        candidates.into_iter().map(|(destination, candidates)| (destination, pick(candidates))).collect()
    }
}

/// The number of the wave of each row: a wave has at most one message of a key.
///
/// This holds for every broker, although one without order loses some speed by it: a routing broker may have an ordered one behind it.
fn wave_numbers(rows: &[OutboxRow]) -> Vec<usize> {
    let mut seen: HashMap<(Option<&str>, &str), usize> = HashMap::new();
    let mut numbers = Vec::with_capacity(rows.len());
    for OutboxRow { message, .. } in rows {
        let next = message.key.as_deref().map(|key| seen.entry((message.topic.as_deref(), key)).or_default());
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
    use std::sync::Arc;
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::InMemoryBroker;
    use crate::broker::MessageType;
    use crate::outbox::InMemoryOutbox;
    use crate::relay::Relay;
    use crate::relay::circuit::Pace;

    fn publisher() -> Publisher {
        let relay = Relay::new(InMemoryOutbox::new());
        Publisher::new(Arc::new(InMemoryBroker::new()), &relay.settings)
    }

    fn away(publisher: &mut Publisher) {
        publisher.circuits.open("", "away".to_owned(), Duration::ZERO, Instant::now());
    }

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
        let keys = [Some("a"), Some("b"), Some("a"), None, None, Some("a")];
        let rows = (1..).zip(keys).map(|(seq, key)| row(seq, key)).collect();
        assert_eq!(seqs(&publisher().plan(rows)), [vec![1, 2, 4, 5], vec![3], vec![6]]);
    }

    #[test]
    fn an_open_circuit_holds_its_keys() {
        let mut publisher = publisher();
        away(&mut publisher);
        assert!(publisher.plan(vec![row(1, Some("a")), row(2, None)]).is_empty());
        assert_eq!(publisher.behind.iter().map(|key| &*key.key).collect::<Vec<_>>(), ["a"]);
        assert_eq!(publisher.circuits.skipped_routes(Instant::now()).len(), 1);
    }

    #[test]
    fn each_event_that_goes_where_nothing_goes_is_left_out_from_then_on() {
        let mut publisher = publisher();
        away(&mut publisher);
        let mut other = row(2, None);
        other.message.name = "B".into();
        assert!(publisher.plan(vec![row(1, None), other]).is_empty());
        assert_eq!(publisher.circuits.skipped_routes(Instant::now()).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_is_one_message_and_another_one_each_time() {
        let mut publisher = publisher();
        let mut trials = Vec::new();
        for _ in 0..3 {
            away(&mut publisher);
            tokio::time::advance(Duration::from_secs(60)).await;
            publisher.begin_turn();
            let waves = publisher.plan(vec![row(1, Some("a")), row(2, Some("b")), row(3, Some("a")), row(4, None)]);
            trials.extend(seqs(&waves).concat());
        }
        assert_eq!(trials, [2, 4, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_trial_a_few_go() {
        let mut publisher = publisher();
        away(&mut publisher);
        publisher.circuits.close("", Pace { messages: 1, took: Duration::ZERO });
        let rows = vec![row(1, Some("a")), row(2, Some("a")), row(3, None), row(4, Some("a"))];
        assert_eq!(seqs(&publisher.plan(rows)), [[1], [2]]);
    }

    #[test]
    fn what_is_held_waits() {
        let mut publisher = publisher();
        publisher.held.insert(ParkedKey { topic: Some("t".to_owned()), key: "a".to_owned() });
        assert_eq!(seqs(&publisher.plan(vec![row(1, Some("a")), row(2, Some("b"))])), [[2]]);
    }

    #[test]
    fn what_was_refused_waits_and_so_does_its_key() {
        let mut publisher = publisher();
        publisher.refused.insert(Place { partition: 0, seq: 1 }, Instant::now() + Duration::from_secs(1));
        assert_eq!(seqs(&publisher.plan(vec![row(1, Some("a")), row(2, Some("a")), row(3, None)])), [[3]]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_wakes_once_its_time_has_come() {
        let mut publisher = publisher();
        let due = Instant::now() + Duration::from_secs(1);
        publisher.refused.insert(Place { partition: 0, seq: 1 }, due);
        assert_eq!(publisher.next_trial(Instant::now()), Some(due));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(
            publisher.next_trial(Instant::now()),
            None,
            "another relay may have it: nothing is left to wait for"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_destination_that_failed_gets_nothing_more_in_its_turn() {
        let mut publisher = publisher();
        away(&mut publisher);
        assert!(publisher.plan(vec![row(1, None)]).is_empty());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(publisher.plan(vec![row(2, None)]).is_empty());
        publisher.begin_turn();
        assert_eq!(seqs(&publisher.plan(vec![row(3, None)])), [[3]]);
    }
}
