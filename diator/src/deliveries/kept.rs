use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::shown;

/// Stands for the [handler](NewDelivery::handler) if a delivery is for all handlers of its message.
pub const WHOLE_MESSAGE: &str = "";

/// A delivery that an endpoint gives to a [`DeliveryStore`](super::DeliveryStore), for one of its handlers.
///
/// # Guarantees
///
/// `Debug` shows neither body nor headers.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewDelivery {
    /// The name of the endpoint.
    pub endpoint: Arc<str>,
    /// The id of the handler that must handle it, or [`WHOLE_MESSAGE`] if the message could not be read or no handler
    /// has begun.
    pub handler: Box<str>,
    /// The id of the message; if the message has none, an id made of topic and position.
    pub message: Uuid,
    /// How often an operator has replayed it to the handler.
    pub generation: u32,
    /// The name of the event, if it could be read.
    pub name: Option<Box<str>>,
    /// The topic that it came from; empty for the default topic.
    pub topic: Arc<str>,
    /// Its position in the topic, in the engine's words.
    pub position: Option<Box<str>>,
    /// The key of the message.
    pub key: Option<Box<str>>,
    /// The headers of the message.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// The media type of the body.
    pub content_type: Option<Box<str>>,
    /// The body that was published.
    pub body: Arc<[u8]>,
    /// How often the handler has failed on it, as the policy counts.
    pub failures: u32,
    /// Whether later messages of its topic and key wait until it is gone. If so, it has a key.
    pub holds_key: bool,
    /// Whether it waits or is a dead letter.
    pub state: NewState,
    /// The handler's last failure, if the delivery waits for a retry. An operator sees it; a lease need not return it.
    pub last_failure: Option<DeadReason>,
}

/// Whether a [`NewDelivery`] waits or is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewState {
    /// It is due after this time, by the store's clock.
    Waiting {
        /// Zero for a delivery that only waits behind others of its key.
        after: Duration,
    },
    /// It is a dead letter: it waits for an operator.
    Dead(DeadReason),
}

/// Why a delivery is a dead letter, or the last failure of its handler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DeadReason {
    /// The kind of the failure, which dead letters of one cause share, such as `Handler`, `TimedOut`, `Unreadable` or
    /// `TooOld`.
    pub kind: Box<str>,
    /// The text of the error, with its causes.
    pub text: Box<str>,
}

impl NewDelivery {
    /// Makes a delivery that is due at once, with the fields that it must have; the other fields are empty.
    #[must_use]
    pub fn new(
        endpoint: impl Into<Arc<str>>,
        handler: impl Into<Box<str>>,
        message: Uuid,
        topic: impl Into<Arc<str>>,
        body: impl Into<Arc<[u8]>>,
    ) -> Self {
        Self {
            endpoint: endpoint.into(),
            handler: handler.into(),
            message,
            generation: 0,
            name: None,
            topic: topic.into(),
            position: None,
            key: None,
            headers: Vec::new(),
            content_type: None,
            body: body.into(),
            failures: 0,
            holds_key: false,
            state: NewState::Waiting { after: Duration::ZERO },
            last_failure: None,
        }
    }
}

impl DeadReason {
    /// Makes a reason of the kind of the failure and its text.
    #[must_use]
    pub fn new(kind: impl Into<Box<str>>, text: impl Into<Box<str>>) -> Self {
        Self { kind: kind.into(), text: text.into() }
    }
}

/// A delivery that a [`DeliveryStore`](super::DeliveryStore) keeps, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptDelivery {
    /// Its number, for [`DeliveryFilter::ids`]; the numbers of a store grow.
    pub id: i64,
    /// The delivery, with its present generation and failures. Its [`state`](NewDelivery::state) means nothing here:
    /// [`state`](Self::state) does.
    pub delivery: NewDelivery,
    /// Whether it waits or is a dead letter by now.
    pub state: DeliveryState,
    /// Why a part of the row cannot be read, if so: a newer program or a hand has written it. That part is empty in
    /// [`delivery`](Self::delivery). No endpoint handles the row; an operator can discard it.
    pub unreadable: Option<Box<str>>,
}

impl KeptDelivery {
    /// Makes a delivery of this number, in this state.
    #[must_use]
    pub const fn new(id: i64, delivery: NewDelivery, state: DeliveryState) -> Self {
        Self { id, delivery, state, unreadable: None }
    }
}

/// Whether a [`KeptDelivery`] waits or is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryState {
    /// An endpoint handles it at that time, or later, as soon as those before it of its key are gone.
    Waiting {
        /// By the clock of the store.
        due: SystemTime,
        /// Whether a process has it in hand.
        leased: bool,
    },
    /// It waits for an operator.
    Dead {
        /// The reason.
        reason: DeadReason,
        /// Since when, by the clock of the store.
        at: SystemTime,
    },
}

/// Selects kept deliveries: a delivery must match every field that is set.
///
/// `Default` sets no field, and so selects **all** deliveries.
///
/// # Units
///
/// `limit` counts deliveries from the oldest; `None` means no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryFilter {
    /// The id is one of these; an empty list matches every id.
    pub ids: Vec<i64>,
    /// The endpoint has this name.
    pub endpoint: Option<String>,
    /// The handler has this id.
    pub handler: Option<String>,
    /// The delivery came from this topic.
    pub topic: Option<String>,
    /// The event has this name; a delivery without a name does not match.
    pub name: Option<String>,
    /// Whether the delivery is a dead letter; `None` matches both.
    pub dead: Option<bool>,
    /// The [kind](DeadReason::kind) of the failure of a dead letter, or of the
    /// [last failure](NewDelivery::last_failure) of a waiting delivery.
    pub kind: Option<String>,
    /// The text of the same failure contains this text.
    pub reason: Option<String>,
    /// How many deliveries to select at most.
    pub limit: Option<u32>,
}

impl DeliveryFilter {
    /// Selects all dead letters.
    #[must_use]
    pub fn dead() -> Self {
        Self { dead: Some(true), ..Self::default() }
    }

    /// Selects all deliveries that wait for their time.
    #[must_use]
    pub fn waiting() -> Self {
        Self { dead: Some(false), ..Self::default() }
    }

    /// Whether the delivery matches; the limit does not count here.
    #[must_use]
    pub fn takes(&self, kept: &KeptDelivery) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let (is_dead, reason) = match &kept.state {
            DeliveryState::Waiting { .. } => (false, kept.delivery.last_failure.as_ref()),
            DeliveryState::Dead { reason, .. } => (true, Some(reason)),
        };
        let of_reason = |wanted: &Option<String>, found: fn(&str, &DeadReason) -> bool| {
            wanted.as_deref().is_none_or(|wanted| reason.is_some_and(|reason| found(wanted, reason)))
        };
        (self.ids.is_empty() || self.ids.contains(&kept.id))
            && is(&self.endpoint, &kept.delivery.endpoint)
            && is(&self.handler, &kept.delivery.handler)
            && is(&self.topic, &kept.delivery.topic)
            && self.name.as_deref().is_none_or(|name| kept.delivery.name.as_deref() == Some(name))
            && self.dead.is_none_or(|dead| dead == is_dead)
            && of_reason(&self.kind, |wanted, reason| *wanted == *reason.kind)
            && of_reason(&self.reason, |wanted, reason| reason.text.contains(wanted))
    }
}

impl fmt::Debug for NewDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewDelivery")
            .field("endpoint", &self.endpoint)
            .field("handler", &self.handler)
            .field("message", &self.message)
            .field("generation", &self.generation)
            .field("name", &self.name.as_deref().map(shown::name))
            .field("topic", &shown::name(&self.topic))
            .field("key", &self.key.as_deref().map(shown::name))
            .field("failures", &self.failures)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
