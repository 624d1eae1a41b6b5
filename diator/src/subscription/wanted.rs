use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::broker::EventRoute;

/// What an endpoint asks of its subscription.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wanted<'a> {
    /// The endpoint's name: what its processes have in common, such as a consumer group.
    pub endpoint: &'a str,
    /// Names that it had before. The driver must take over what waits under one of them, or refuse it in
    /// [`validate`](super::Subscription::validate).
    pub formerly: &'a [String],
    /// The topics to receive from.
    pub topics: &'a [String],
    /// Whether to receive also from where the broker puts events that name no topic.
    pub default_topic: bool,
    /// The events that have a handler in the endpoint.
    pub events: &'a [EventRoute<'a>],
    /// What the processes that open the endpoint want of each other.
    pub share: Share,
    /// Which order the endpoint needs.
    pub order: Order,
    /// How many deliveries run at the same time, at most.
    pub concurrency: NonZeroUsize,
    /// How many deliveries the endpoint holds whose handlers are not done, those that run included.
    pub max_ahead: NonZeroUsize,
    /// After which times a delivery may be asked to come again, for an engine that must be set up for them.
    pub delays: &'a [Duration],
}

/// What the processes that open one endpoint want of each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Share {
    /// Each message goes to one of them.
    #[default]
    Group,
    /// Each message goes to each of them.
    Broadcast,
}

/// In which order an endpoint handles its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Any, and all of them at the same time.
    #[default]
    None,
    /// Those of one key in one topic one after the other, as they were published. Keys do not wait for each other, nor do topics; a message
    /// without a key waits for none.
    PerKey,
}

impl<'a> Wanted<'a> {
    /// What an endpoint of this name asks for that reads these topics, in any order, and shares them with its other processes.
    ///
    /// It runs 16 deliveries at the same time, and holds 256, unless said otherwise.
    #[must_use]
    pub const fn new(endpoint: &'a str, topics: &'a [String]) -> Self {
        Self {
            endpoint,
            formerly: &[],
            topics,
            default_topic: false,
            events: &[],
            share: Share::Group,
            order: Order::None,
            concurrency: NonZeroUsize::new(16).expect("it is more than zero"),
            max_ahead: NonZeroUsize::new(256).expect("it is more than zero"),
            delays: &[],
        }
    }

    /// Says which names the endpoint had before.
    #[must_use]
    pub const fn with_formerly(mut self, names: &'a [String]) -> Self {
        self.formerly = names;
        self
    }

    /// Says that events that name no topic are wanted too.
    #[must_use]
    pub const fn with_default_topic(mut self) -> Self {
        self.default_topic = true;
        self
    }

    /// Says which events have a handler in the endpoint.
    #[must_use]
    pub const fn with_events(mut self, events: &'a [EventRoute<'a>]) -> Self {
        self.events = events;
        self
    }

    /// Says what its processes want of each other.
    #[must_use]
    pub const fn with_share(mut self, share: Share) -> Self {
        self.share = share;
        self
    }

    /// Says which order the endpoint needs.
    #[must_use]
    pub const fn with_order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Says how many deliveries run at the same time at most.
    #[must_use]
    pub const fn with_concurrency(mut self, deliveries: NonZeroUsize) -> Self {
        self.concurrency = deliveries;
        self
    }

    /// Says how many deliveries the endpoint holds at most.
    #[must_use]
    pub const fn with_max_ahead(mut self, deliveries: NonZeroUsize) -> Self {
        self.max_ahead = deliveries;
        self
    }
    /// Says after which times a delivery may be asked to come again.
    #[must_use]
    pub const fn with_delays(mut self, delays: &'a [Duration]) -> Self {
        self.delays = delays;
        self
    }
}
