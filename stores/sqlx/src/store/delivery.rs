use std::time::{Duration, UNIX_EPOCH};

use diator::BoxError;
use diator::deliveries::{
    DeadReason, DeliveryLease, DeliveryState, KeptDelivery, LeasedDelivery, NewDelivery, NewState,
};
use uuid::Uuid;

use super::message::Seldom;

/// The columns of a delivery, in the order of the fields of [`StoredDelivery`], without those that say what it waits for.
pub(crate) const DELIVERY: &str =
    "endpoint, handler, message, generation, failures, name, topic, position, key, headers, content_type, body";

/// A row as its columns hold it.
///
/// # Guarantees
///
/// A part that cannot be read is empty, and [`problem`](Self::problem) says why.
#[derive(Default)]
pub(crate) struct StoredDelivery {
    pub(crate) number: i64,
    pub(crate) endpoint: String,
    pub(crate) handler: String,
    pub(crate) message: Uuid,
    pub(crate) generation: i64,
    pub(crate) failures: i64,
    pub(crate) holds_key: bool,
    pub(crate) name: Option<String>,
    pub(crate) topic: String,
    pub(crate) position: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) headers: String,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
    /// The first thing that was wrong.
    pub(crate) problem: Option<String>,
}

impl StoredDelivery {
    /// The value, or its default where it is wrong.
    pub(crate) fn or_default<T: Default>(&mut self, what: &str, value: Result<T, BoxError>) -> T {
        value.unwrap_or_else(|error| {
            self.problem.get_or_insert_with(|| format!("its {what} cannot be read: {error}"));
            T::default()
        })
    }

    fn decode(mut self) -> (NewDelivery, Option<Box<str>>) {
        let text = std::mem::take(&mut self.headers);
        let headers = self.or_default("headers", serde_json::from_str(&text).map_err(Into::into));
        let (generation, failures) = (self.generation, self.failures);
        let generation = self.or_default("generation", generation.try_into().map_err(Into::into));
        let failures = self.or_default("failures", failures.try_into().map_err(Into::into));
        let mut delivery = NewDelivery::new(self.endpoint, self.handler, self.message, self.topic, self.body);
        delivery.generation = generation;
        delivery.failures = failures;
        delivery.holds_key = self.holds_key;
        delivery.name = self.name.map(Into::into);
        delivery.position = self.position.map(Into::into);
        delivery.key = self.key.map(Into::into);
        delivery.content_type = self.content_type.map(Into::into);
        delivery.headers = headers;
        (delivery, self.problem.map(Into::into))
    }

    /// As an operator sees it, with its last failure.
    pub(crate) fn kept(self, state: DeliveryState, failure: Option<DeadReason>) -> KeptDelivery {
        let number = self.number;
        let (mut delivery, unreadable) = self.decode();
        match &state {
            DeliveryState::Dead { reason, .. } => delivery.state = NewState::Dead(reason.clone()),
            _ => delivery.last_failure = failure,
        }
        let mut kept = KeptDelivery::new(number, delivery, state);
        kept.unreadable = unreadable;
        kept
    }

    /// As a process has it in hand; `None` if nobody can handle it. It is leased again when the lease is over.
    pub(crate) fn leased(self, lease: i64, lost: i64) -> Option<LeasedDelivery> {
        let id = self.number;
        let (delivery, unreadable) = self.decode();
        if let Some(problem) = unreadable {
            static TOLD: Seldom = Seldom::new();
            if TOLD.is_time() {
                tracing::error!(
                    number = id,
                    endpoint = &*delivery.endpoint,
                    problem = &*problem,
                    "an endpoint cannot read a delivery that the store keeps; it stays there"
                );
            }
            return None;
        }
        let mut leased = LeasedDelivery::new(DeliveryLease { id, lease }, delivery);
        leased.lost = lost.try_into().unwrap_or(u32::MAX);
        Some(leased)
    }
}

/// What it waits for, by the columns of the row.
pub(crate) fn state(
    due: Duration,
    leased: bool,
    dead_at: Option<Duration>,
    failure: Option<&DeadReason>,
) -> DeliveryState {
    let at = |time| UNIX_EPOCH.checked_add(time).unwrap_or(UNIX_EPOCH);
    match dead_at {
        None => DeliveryState::Waiting { due: at(due), leased },
        Some(time) => DeliveryState::Dead { reason: failure.cloned().unwrap_or_default(), at: at(time) },
    }
}

/// How its handler failed at last, by the columns of the row.
pub(crate) fn failure(kind: Option<String>, reason: Option<String>) -> Option<DeadReason> {
    (kind.is_some() || reason.is_some()).then(|| DeadReason::new(kind.unwrap_or_default(), reason.unwrap_or_default()))
}

pub(crate) fn headers_of(delivery: &NewDelivery) -> String {
    serde_json::to_string(&delivery.headers).expect("texts can be written")
}

/// Why it is a dead letter, or how its handler failed at last.
pub(crate) fn reason_of(delivery: &NewDelivery) -> Option<&DeadReason> {
    match &delivery.state {
        NewState::Dead(reason) => Some(reason),
        _ => delivery.last_failure.as_ref(),
    }
}

pub(crate) fn is_dead(delivery: &NewDelivery) -> bool {
    matches!(delivery.state, NewState::Dead(_))
}

/// In what time it is due; nothing for a dead letter.
pub(crate) fn after_of(delivery: &NewDelivery) -> Duration {
    match delivery.state {
        NewState::Waiting { after } => after,
        _ => Duration::ZERO,
    }
}

pub(crate) fn holds_key(delivery: &NewDelivery) -> bool {
    delivery.holds_key && delivery.key.is_some()
}
