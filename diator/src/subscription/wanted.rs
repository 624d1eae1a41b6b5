use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::broker::EventRoute;

/// The demands of an endpoint on its subscription.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wanted<'a> {
    /// The endpoint's name, which its processes have in common, as with a consumer group.
    pub endpoint: &'a str,
    /// The endpoint's former names. The driver must take over the messages that wait under one of them, or refuse the
    /// name in [`validate`](super::Subscription::validate).
    pub formerly: &'a [String],
    /// The topics to receive from.
    pub topics: &'a [String],
    /// Whether to receive also from the place to which the broker sends events that name no topic.
    pub default_topic: bool,
    /// The events that have a handler in the endpoint.
    pub events: &'a [EventRoute<'a>],
    /// How the processes that open the endpoint share its messages.
    pub share: Share,
    /// The order that the endpoint needs.
    pub order: Order,
    /// How many deliveries run at the same time, at most.
    pub concurrency: NonZeroUsize,
    /// How many deliveries the endpoint holds at most whose handlers are not done, those that run included.
    pub max_ahead: NonZeroUsize,
    /// The times after which the endpoint may ask for a delivery again, for an engine that must be set up for them.
    pub delays: &'a [Duration],
}

/// How the processes that open one endpoint share its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Share {
    /// Each message goes to one of them.
    #[default]
    Group,
    /// Each message goes to each of them.
    Broadcast,
}

/// The order in which an endpoint handles its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// No order: all messages may be handled at the same time.
    #[default]
    None,
    /// The messages of one key in one topic are handled one after the other, as they were published. Keys do not wait
    /// for each other, nor do topics; a message without a key waits for no other.
    PerKey,
}

impl<'a> Wanted<'a> {
    /// Makes the demands of an endpoint of this name that reads these topics, in any order, and shares them with its
    /// other processes.
    ///
    /// By default, it runs 16 deliveries at the same time, and holds 256.
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

    /// Sets the endpoint's former names.
    #[must_use]
    pub const fn with_formerly(mut self, names: &'a [String]) -> Self {
        self.formerly = names;
        self
    }

    /// Sets that events that name no topic are wanted too.
    #[must_use]
    pub const fn with_default_topic(mut self) -> Self {
        self.default_topic = true;
        self
    }

    /// Sets the events that have a handler in the endpoint.
    #[must_use]
    pub const fn with_events(mut self, events: &'a [EventRoute<'a>]) -> Self {
        self.events = events;
        self
    }

    /// Sets how its processes share messages.
    #[must_use]
    pub const fn with_share(mut self, share: Share) -> Self {
        self.share = share;
        self
    }

    /// Sets the order that the endpoint needs.
    #[must_use]
    pub const fn with_order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Sets how many deliveries run at the same time at most.
    #[must_use]
    pub const fn with_concurrency(mut self, deliveries: NonZeroUsize) -> Self {
        self.concurrency = deliveries;
        self
    }

    /// Sets how many deliveries the endpoint holds at most.
    #[must_use]
    pub const fn with_max_ahead(mut self, deliveries: NonZeroUsize) -> Self {
        self.max_ahead = deliveries;
        self
    }
    /// Sets the times after which the endpoint may ask for a delivery again.
    #[must_use]
    pub const fn with_delays(mut self, delays: &'a [Duration]) -> Self {
        self.delays = delays;
        self
    }
}
