use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::Instant;
use uuid::Uuid;

use super::Bound;
use super::outcome::{Outcome, State};
use super::policy::OnDead;
use super::work::Work;
use crate::BoxError;
use crate::deliveries::{DeadReason, DeliveryStatus, DeliveryStore, NewDelivery, NewState, WHOLE_MESSAGE};
use crate::inbox::Turn;
use crate::race::{First, race};
use crate::subscription::{Delivery, Order};

const LEASE: Duration = Duration::from_secs(30);

/// The delivery store of an endpoint, which its two openings share: one puts rows into it, and the other one handles them.
pub(super) struct Store {
    pub(super) deliveries: Arc<dyn DeliveryStore>,
    /// The names that the endpoint had before: rows under these go before others of their keys.
    formerly: Vec<String>,
    /// This process has put a row, or put one off.
    pub(super) has_put: Notify,
    /// This process has settled a row that held its key: the next one of the key can be leased.
    pub(super) freed: Notify,
    /// As many as there may run at once, in both openings together.
    permits: Semaphore,
}

impl Store {
    pub(super) fn new(deliveries: Arc<dyn DeliveryStore>, formerly: Vec<String>, concurrency: usize) -> Self {
        Self {
            deliveries,
            formerly,
            has_put: Notify::new(),
            freed: Notify::new(),
            permits: Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS)),
        }
    }

    /// The former name under which rows hold a key, if there is one. Without former names nothing is asked.
    pub(super) async fn former_holder(&self, turn: Turn<'_>) -> Result<Option<&str>, BoxError> {
        for former in &self.formerly {
            if self.deliveries.is_held(former, turn).await? {
                return Ok(Some(former));
            }
        }
        Ok(None)
    }

    /// Puts the rows of messages; those of a key that rows under a former name hold get that name, and so their turns behind these.
    ///
    /// All of a message get the same name: the turns of the next one are among the rows of one name.
    pub(super) async fn put(&self, mut messages: Vec<Vec<NewDelivery>>) -> Result<(), BoxError> {
        for rows in &mut messages {
            let holder = rows.iter().find(|row| row.holds_key);
            let turn = holder.and_then(|row| Some(Turn { topic: &row.topic, key: row.key.as_deref()? }));
            let Some(turn) = turn else { continue };
            if let Some(former) = self.former_holder(turn).await? {
                rows.iter_mut().filter(|row| row.holds_key).for_each(|row| row.endpoint = former.into());
            }
        }
        self.deliveries.put(&messages.concat()).await
    }

    /// What the store keeps for the endpoint, under all of its names.
    pub(super) async fn status(&self, name: &str) -> Result<DeliveryStatus, BoxError> {
        let mut sum = DeliveryStatus { endpoint: name.to_owned(), ..DeliveryStatus::default() };
        for status in self.deliveries.status().await? {
            if status.endpoint == name || self.formerly.contains(&status.endpoint) {
                sum.waiting += status.waiting;
                sum.parked += status.parked;
                sum.dead += status.dead;
                sum.overdue_seconds = match (sum.overdue_seconds, status.overdue_seconds) {
                    (Some(one), Some(other)) => Some(one.max(other)),
                    (one, other) => one.or(other),
                };
            }
        }
        Ok(sum)
    }

    /// For how long a row is leased.
    pub(super) fn lease(&self, max_handling: Duration) -> Duration {
        if self.deliveries.extends_beside_handlers() { LEASE } else { max_handling.saturating_add(LEASE) }
    }

    /// Waits until one more may run; `None` if it is called back before.
    pub(super) async fn permit(&self, called_back: impl Future<Output = ()>) -> Option<SemaphorePermit<'_>> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Some(permit);
        }
        match race(called_back, self.permits.acquire()).await {
            First::Left(()) => None,
            // It is never closed.
            First::Right(permit) => permit.ok(),
        }
    }
}

/// The rows that a delivery becomes: one for each handler that is not done, in the order in which they are due.
///
/// With order per key they have their turns in this order. Dead letters come last, so that they park no handler of their own message.
pub(super) fn rows_of_handlers(bound: &Bound, work: &Work, now: Instant) -> Vec<NewDelivery> {
    let (Some(raw), Some(message)) = (work.delivered(), work.claimed) else { return Vec::new() };
    let has_order = bound.settings.order == Order::PerKey && raw.key.is_some();
    let row = |outcome: &Outcome| {
        let state = match &outcome.state {
            State::Done => return None,
            State::Dead { .. } if !bound.settings.dead_letters => return None,
            State::Dead { why, .. } => NewState::Dead(why.clone()),
            State::Pending { due, .. } => {
                NewState::Waiting { after: due.map(|due| due.saturating_duration_since(now)).unwrap_or_default() }
            }
        };
        let mut row = row(bound, raw, outcome.handler.as_str(), message);
        row.holds_key = has_order && (outcome.is_pending() || bound.parks());
        row.name = work.name.clone();
        row.failures = outcome.failures().counted;
        row.last_failure = outcome.last_failure();
        row.state = state;
        Some(row)
    };
    let mut rows: Vec<_> = work.outcomes.iter().filter_map(row).collect();
    rows.sort_by_key(|row| match row.state {
        NewState::Waiting { after } => after,
        NewState::Dead(_) => Duration::MAX,
    });
    rows
}

/// The row of a message of which no handler has begun, and none will: a dead letter as a whole.
pub(super) fn row_of_all(bound: &Bound, work: &Work, why: DeadReason) -> Option<NewDelivery> {
    let raw = work.delivered()?;
    // Without any name it can be told from no other message: it is put once more if it comes again.
    let message = work.claimed.or_else(|| raw.derived_id()).unwrap_or_else(Uuid::now_v7);
    let mut row = row(bound, raw, WHOLE_MESSAGE, message);
    row.holds_key = bound.settings.order == Order::PerKey && raw.key.is_some() && bound.parks();
    row.name = work.name.clone();
    row.failures = work.counted();
    row.state = NewState::Dead(why);
    Some(row)
}

fn row(bound: &Bound, raw: &Delivery, handler: &str, message: Uuid) -> NewDelivery {
    let mut row = NewDelivery::new(bound.settings.name.clone(), handler, message, raw.topic.clone(), raw.body.clone());
    row.position.clone_from(&raw.position);
    row.key.clone_from(&raw.key);
    row.headers.clone_from(&raw.headers);
    row.content_type.clone_from(&raw.content_type);
    row
}

impl Bound {
    /// Whether a dead letter keeps those behind it of its key waiting.
    pub(super) fn parks(&self) -> bool {
        self.settings.errors.what_on_dead() == OnDead::Park
    }
}
