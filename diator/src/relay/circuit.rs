use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::outbox::SkippedRoute;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The relay waits no longer than this, even if the broker asks for more.
const LONGEST_WISH: Duration = Duration::from_secs(300);

/// Whether a relay publishes to a destination at the moment.
///
/// If a destination does not take a message for a passing reason, the relay publishes nothing there for 100 ms, and waits twice as
/// long after each failed trial, up to 30 s. It waits up to 5 minutes if the broker asks for that or takes long to answer. These
/// failures do not count as attempts of a message.
///
/// # Source
///
/// The pattern Circuit Breaker of M. Nygard, "Release It!".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CircuitState {
    /// The relay publishes.
    Closed,
    /// The relay publishes nothing.
    Open,
    /// The relay publishes one message, to find out whether the destination works again.
    Trial,
}

/// The circuits of all destinations that the relay has met.
#[derive(Debug)]
pub(super) struct Circuits {
    by_destination: HashMap<String, Circuit>,
    /// A destination that has taken this many messages at once counts as healthy again.
    full_speed: usize,
    /// How long one call should take at most: well within what the broker may take.
    longest_call: Duration,
    /// The destination of each event that the relay has met.
    routes: HashMap<SkippedRoute, String>,
    jitter: RandomState,
}

#[derive(Debug, Default)]
struct Circuit {
    /// How many trials have failed in a row; zero is a closed circuit.
    failures: u32,
    open_until: Option<Instant>,
    error: Option<String>,
    /// How many messages the relay may publish at once after an outage.
    allowance: usize,
}

/// How many messages the relay may publish to a destination at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    /// No limit.
    All,
    /// A limit that doubles after each success, as long as the destination takes the messages in time, so that a slow destination
    /// does not get whole batches in vain.
    AtMost(usize),
    /// One message. Each trial takes another one, by the number of failures, because a message may be at fault itself.
    Trial { failures: u32 },
    /// No message.
    Nothing,
}

/// How fast a destination took what it was given at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) messages: usize,
    pub(super) took: Duration,
}

impl Pace {
    /// How long so many messages would take.
    fn of(self, messages: usize) -> Duration {
        let each = self.took / u32::try_from(self.messages).unwrap_or(u32::MAX).max(1);
        each.saturating_mul(u32::try_from(messages).unwrap_or(u32::MAX))
    }
}

/// The health of a destination whose circuit is not closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CircuitHealth {
    /// The broker's name for the destination; empty if the broker has only one.
    pub destination: String,
    /// Whether the relay publishes there.
    pub state: CircuitState,
    /// How many trials have failed in a row.
    pub failures: u32,
    /// The broker's last error; it must repeat no [credential](crate::MessageBroker::publish).
    pub error: Option<String>,
}

impl Circuits {
    /// None is known yet; so many messages are a whole batch, for which the broker may take so long.
    pub(super) fn new(full_speed: usize, deadline: Duration) -> Self {
        let (by_destination, routes) = (HashMap::new(), HashMap::new());
        Self { by_destination, full_speed, longest_call: deadline / 2, routes, jitter: RandomState::new() }
    }

    pub(super) fn state(&self, destination: &str, now: Instant) -> CircuitState {
        self.by_destination.get(destination).map_or(CircuitState::Closed, |circuit| circuit.state(now))
    }

    /// Notes the destination of an event, so that claims can leave the event out while the circuit is open.
    pub(super) fn note_route(&mut self, route: SkippedRoute, destination: &str) {
        if self.routes.get(&route).is_none_or(|known| known != destination) {
            self.routes.insert(route, destination.to_owned());
        }
    }

    pub(super) fn allowance(&self, destination: &str, now: Instant) -> Allowance {
        let Some(circuit) = self.by_destination.get(destination) else { return Allowance::All };
        match circuit.state(now) {
            CircuitState::Closed => Allowance::AtMost(circuit.allowance),
            CircuitState::Trial => Allowance::Trial { failures: circuit.failures },
            CircuitState::Open => Allowance::Nothing,
        }
    }

    /// Whether no destination has a limit.
    pub(super) fn are_all_closed(&self) -> bool {
        self.by_destination.is_empty()
    }

    /// The destination has answered for all messages of one call; the largest part of it had this pace.
    pub(super) fn close(&mut self, destination: &str, pace: Pace) {
        let Some(circuit) = self.by_destination.get_mut(destination) else { return };
        if circuit.failures > 0 {
            tracing::info!(target: "diator", destination, "the relay publishes to this destination again");
            (circuit.failures, circuit.allowance) = (0, 1);
        }
        let next = (circuit.allowance * 2).min(self.full_speed);
        if pace.of(next) > self.longest_call {
            return;
        }
        circuit.allowance = next;
        if next == self.full_speed {
            self.by_destination.remove(destination);
        }
    }

    /// The destination did not take a message, for a reason that is not the message's fault.
    pub(super) fn open(&mut self, destination: &str, error: String, at_least: Duration, now: Instant) {
        let jitter = self.jitter.hash_one((destination, now));
        let circuit = self.by_destination.entry(destination.to_owned()).or_default();
        if circuit.state(now) == CircuitState::Open {
            // An earlier answer of the same call has opened it.
            return;
        }
        circuit.failures = circuit.failures.saturating_add(1);
        let pause = jittered(pause_after(circuit.failures), jitter).max(at_least.min(LONGEST_WISH));
        circuit.open_until = now.checked_add(pause);
        if circuit.failures == 1 {
            tracing::warn!(target: "diator", destination, error, "the relay holds back the messages for this destination");
        }
        circuit.error = Some(error);
    }

    /// The events whose circuit is open, each with its destination.
    pub(super) fn skipped_routes(&self, now: Instant) -> Vec<(SkippedRoute, String)> {
        if self.by_destination.is_empty() {
            return Vec::new();
        }
        let is_open = |destination: &String| self.state(destination, now) == CircuitState::Open;
        let skipped = self.routes.iter().filter(|(_, destination)| is_open(destination));
        skipped.map(|(route, destination)| (route.clone(), destination.clone())).collect()
    }

    /// When the next trial may be made; `None` if no circuit is open.
    pub(super) fn next_trial(&self, now: Instant) -> Option<Instant> {
        let open = self.by_destination.values().filter(|circuit| circuit.state(now) == CircuitState::Open);
        open.filter_map(|circuit| circuit.open_until).min()
    }

    pub(super) fn health(&self, now: Instant) -> Vec<CircuitHealth> {
        let health = |(destination, circuit): (&String, &Circuit)| CircuitHealth {
            destination: destination.clone(),
            state: circuit.state(now),
            failures: circuit.failures,
            error: circuit.error.clone(),
        };
        let not_closed = self.by_destination.iter().filter(|(_, circuit)| circuit.failures > 0);
        let mut circuits: Vec<_> = not_closed.map(health).collect();
        circuits.sort_by(|one, other| one.destination.cmp(&other.destination));
        circuits
    }
}

impl Circuit {
    fn state(&self, now: Instant) -> CircuitState {
        match (self.failures, self.open_until) {
            (0, _) => CircuitState::Closed,
            (_, Some(until)) if now < until => CircuitState::Open,
            _ => CircuitState::Trial,
        }
    }
}

/// How long the relay publishes nothing to a destination after this number of failures in a row.
fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

/// Shortens the pause by up to a half, so that several relays do not try at the same time.
pub(super) fn jittered(pause: Duration, random: u64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "a random number has no precision to lose")]
    let share = random as f64 / u64::MAX as f64;
    pause.mul_f64(1.0 - share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::MessageType;

    const AT_ONCE: Pace = Pace { messages: 1, took: Duration::ZERO };

    fn circuits() -> Circuits {
        Circuits::new(500, Duration::from_secs(10))
    }

    fn route(name: &str) -> SkippedRoute {
        SkippedRoute { message_type: MessageType::Notification, name: name.to_owned(), topic: None }
    }

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let pauses: Vec<_> = [1, 2, 3, 9, 10, u32::MAX].map(|failures| pause_after(failures).as_millis()).into();
        assert_eq!(pauses, [100, 200, 400, 25_600, 30_000, 30_000]);
    }

    #[test]
    fn at_most_half_of_a_pause_is_taken_off() {
        let pause = Duration::from_secs(10);
        assert_eq!(jittered(pause, 0), pause);
        assert_eq!(jittered(pause, u64::MAX), pause / 2);
    }

    #[test]
    fn a_destination_is_left_alone_then_tried_then_used_again() {
        let (mut circuits, now) = (circuits(), Instant::now());
        circuits.note_route(route("A"), "redis");
        circuits.note_route(route("B"), "azure");
        assert_eq!(circuits.state("redis", now), CircuitState::Closed);

        circuits.open("redis", "refused".to_owned(), Duration::ZERO, now);
        assert_eq!(circuits.state("redis", now), CircuitState::Open);
        assert_eq!(circuits.skipped_routes(now), [(route("A"), "redis".to_owned())]);
        let trial = circuits.next_trial(now).expect("it is open");
        assert_eq!(circuits.state("redis", trial), CircuitState::Trial);
        assert!(circuits.skipped_routes(trial).is_empty());

        circuits.open("redis", "still refused".to_owned(), Duration::ZERO, trial);
        let [health] = &circuits.health(trial)[..] else { panic!("one circuit is open") };
        assert_eq!((health.failures, health.error.as_deref()), (2, Some("still refused")));
        assert_eq!(circuits.allowance("redis", trial + LONGEST_PAUSE), Allowance::Trial { failures: 2 });
        circuits.close("redis", AT_ONCE);
        assert_eq!((circuits.state("redis", now), circuits.health(now)), (CircuitState::Closed, Vec::new()));
    }

    #[test]
    fn after_an_outage_more_go_from_one_time_to_the_next() {
        let (mut circuits, now) = (circuits(), Instant::now());
        circuits.open("redis", "refused".to_owned(), Duration::ZERO, now);
        let mut allowances = Vec::new();
        while !circuits.are_all_closed() {
            circuits.close("redis", AT_ONCE);
            allowances.push(circuits.allowance("redis", now));
        }
        let expected = [2, 4, 8, 16, 32, 64, 128, 256].map(Allowance::AtMost);
        assert_eq!(allowances.split_last(), Some((&Allowance::All, &expected[..])));
    }

    #[test]
    fn a_slow_destination_gets_what_it_takes_within_half_of_the_deadline() {
        let (mut circuits, now) = (circuits(), Instant::now());
        circuits.open("redis", "slow".to_owned(), Duration::ZERO, now);
        let each = Duration::from_millis(50);
        for _ in 0..20 {
            let messages = match circuits.allowance("redis", now) {
                Allowance::AtMost(messages) => messages,
                _ => 1,
            };
            let took = each * u32::try_from(messages).expect("they are few");
            circuits.close("redis", Pace { messages, took });
        }
        assert_eq!(circuits.allowance("redis", now), Allowance::AtMost(64), "128 would take 6.4 s");
        assert_eq!(circuits.health(now), Vec::new(), "it is closed all the same");
        for _ in 0..3 {
            circuits.close("redis", AT_ONCE);
        }
        assert_eq!(circuits.allowance("redis", now), Allowance::All, "it is fast again");
    }

    #[test]
    fn messages_that_fail_together_are_one_failure() {
        let (mut circuits, now) = (circuits(), Instant::now());
        for _ in 0..100 {
            circuits.open("redis", "refused".to_owned(), Duration::ZERO, now);
        }
        assert_eq!(circuits.health(now)[0].failures, 1);
    }

    #[test]
    fn a_broker_that_asks_for_ever_is_tried_again() {
        let (mut circuits, now) = (circuits(), Instant::now());
        circuits.open("azure", "busy".to_owned(), Duration::MAX, now);
        assert_eq!(circuits.next_trial(now), Some(now + LONGEST_WISH));
    }

    #[test]
    fn a_broker_that_names_a_time_gets_it() {
        let (mut circuits, now) = (circuits(), Instant::now());
        circuits.open("azure", "busy".to_owned(), Duration::from_secs(90), now);
        assert_eq!(circuits.state("azure", now + Duration::from_secs(89)), CircuitState::Open);
        assert_eq!(circuits.state("azure", now + Duration::from_secs(90)), CircuitState::Trial);
    }
}
