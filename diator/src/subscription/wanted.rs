use std::num::NonZeroUsize;
use std::time::Duration;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Any, and all of them at the same time.
    #[default]
    None,
    /// Those of one key one after the other, as they were published; keys do not wait for each other.
    PerKey,
}
