use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;

use crate::shown;

/// A message that an engine gave to this process.
///
/// # Guarantees
///
/// `Debug` shows neither body nor headers.
#[derive(Clone)]
#[non_exhaustive]
pub struct Delivery {
    /// The name of the delivery towards the driver, within one opening.
    pub tag: DeliveryTag,
    /// The partition that it belongs to, if the engine has partitions.
    pub owner: Option<Ownership>,
    /// The topic that it came from, as [`Wanted::topics`](super::Wanted::topics) has it; empty for the default topic.
    pub topic: Arc<str>,
    /// Its position in the topic, in the engine's words: a partition and an offset, a stream and an entry id. With the
    /// topic it identifies a message that has no id of its own: it must be unique in the topic, and the same at each
    /// redelivery, also after [`Verdict::Retry`](super::Verdict::Retry). A driver whose retry is a copy must carry the
    /// position along.
    pub position: Option<Box<str>>,
    /// The subject of the message; messages of one key are handled in order if the endpoint asks for that. A driver
    /// must turn a key that is not a text into a text that no other key becomes.
    pub key: Option<Box<str>>,
    /// The headers of the message, as the engine has them. A driver leaves out a header that is not a text.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// The media type of the body, if the engine has one.
    pub content_type: Option<Box<str>>,
    /// The published body; empty if the engine has none, as in a tombstone.
    pub body: Arc<[u8]>,
    /// Whether it was delivered before. It is a hint: the endpoint counts failures by itself.
    pub redelivered: Redelivered,
    /// How many failures a [`Verdict::Retry`](super::Verdict::Retry) has carried along; 0 if the engine has no place
    /// for them.
    pub failures: u32,
    /// Why the driver could not read the message, if so: the endpoint makes a dead letter of it. Body and headers are
    /// there as far as they could be read.
    pub unreadable: Option<Box<str>>,
    /// When its lock began, at the latest. If the engine answers a read at once, that is before the read was sent. If
    /// the read waits at the engine, or the engine sends by itself, it is when the bytes arrived.
    pub received: Instant,
    /// Which row of a delivery store it is, if it is none of an engine's.
    pub(crate) row: Option<Box<Row>>,
}

/// The namespace of what [`Delivery::derived_id`] makes. It must not change: stores know messages by such ids.
const PLACES: Uuid = Uuid::from_u128(0x6f0d_3a52_8c1e_5b0f_9f67_2d41_b0c3_7e15);

/// A row of a [`DeliveryStore`](crate::deliveries::DeliveryStore) that is delivered.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// [`WHOLE_MESSAGE`](crate::deliveries::WHOLE_MESSAGE) for all handlers.
    pub(crate) handler: Box<str>,
    pub(crate) generation: u32,
    pub(crate) message: Uuid,
    pub(crate) holds_key: bool,
}

/// Names a delivery towards its driver, which must never use a number twice in an opening, even if it reconnects within
/// the opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryTag(pub u64);

/// A partition that this process owns for a while; the engine takes it back as a whole.
///
/// The epoch is higher each time that this opening gets the partition. Numbers and epochs mean the same in other
/// processes only if the capability [`fenced_owners`](super::Capabilities::fenced_owners) says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ownership {
    /// The number of the partition; the driver numbers the partitions of all its topics.
    pub partition: u32,
    /// The generation of the assignment, or the epoch of the lease.
    pub epoch: u64,
}

/// How often a message was delivered before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Redelivered {
    /// Never.
    No,
    /// At least once.
    Yes,
    /// This often; zero means never.
    Times(u32),
    /// The engine does not say.
    Unknown,
}

/// News or deliveries that a [`Source`](super::Source) yields.
#[derive(Debug)]
#[non_exhaustive]
pub enum Taken {
    /// Deliveries, at least one.
    Deliveries(Vec<Delivery>),
    /// The engine wants partitions back, and waits until the endpoint gives them up.
    Revoking {
        /// The owners that it wants back.
        owners: Vec<Ownership>,
        /// Until when running handlers may end.
        by: Instant,
    },
    /// Partitions belong to somebody else already: none of their deliveries can be settled.
    Lost {
        /// The owners that are lost.
        owners: Vec<Ownership>,
    },
}

impl Delivery {
    /// Makes a delivery with the fields that it must have, received now, for the first time.
    ///
    /// If tokio's clock is paused, "now" is the time of that clock.
    #[must_use]
    pub fn new(tag: DeliveryTag, topic: impl Into<Arc<str>>, body: impl Into<Arc<[u8]>>) -> Self {
        Self {
            tag,
            owner: None,
            topic: topic.into(),
            position: None,
            key: None,
            headers: Vec::new(),
            content_type: None,
            body: body.into(),
            redelivered: Redelivered::No,
            failures: 0,
            unreadable: None,
            received: Instant::now(),
            row: None,
        }
    }

    /// Sets the partition that it belongs to.
    #[must_use]
    pub fn with_owner(mut self, owner: Ownership) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Sets its position in the topic.
    #[must_use]
    pub fn with_position(mut self, position: impl Into<Box<str>>) -> Self {
        self.position = Some(position.into());
        self
    }

    /// Sets the key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Box<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the media type of the body.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Box<str>>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets whether it was delivered before.
    #[must_use]
    pub fn with_redelivered(mut self, redelivered: Redelivered) -> Self {
        self.redelivered = redelivered;
        self
    }

    /// Sets how many failures a retry has carried along.
    #[must_use]
    pub fn with_failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }

    /// Marks it as a message that the driver could not read, with the reason.
    #[must_use]
    pub fn with_unreadable(mut self, why: impl Into<Box<str>>) -> Self {
        self.unreadable = Some(why.into());
        self
    }

    /// Sets when its lock began.
    #[must_use]
    pub fn with_received(mut self, received: Instant) -> Self {
        self.received = received;
        self
    }
}

impl Delivery {
    /// The id of a message that has none of its own: made of its place, so that it is the same each time. `None` if the engine names none.
    pub(crate) fn derived_id(&self) -> Option<Uuid> {
        let position = self.position.as_deref()?;
        // No other topic and position are written like this.
        let place = format!("{}:{}{position}", self.topic.len(), self.topic);
        Some(Uuid::new_v5(&PLACES, place.as_bytes()))
    }
}

impl Row {
    /// The id by which an attempt log knows it: several rows of one message may run at once, and each ends by itself.
    pub(crate) fn known_as(&self) -> Uuid {
        Uuid::new_v5(&self.message, self.handler.as_bytes())
    }
}

impl Redelivered {
    /// Whether the message may have been delivered before.
    #[must_use]
    pub fn perhaps(self) -> bool {
        !matches!(self, Self::No | Self::Times(0))
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("tag", &self.tag)
            .field("owner", &self.owner)
            .field("topic", &shown::name(&self.topic))
            .field("position", &self.position.as_deref().map(shown::name))
            .field("key", &self.key.as_deref().map(shown::name))
            .field("redelivered", &self.redelivered)
            .finish_non_exhaustive()
    }
}
