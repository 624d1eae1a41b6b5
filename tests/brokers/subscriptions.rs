//! The conformance suite of subscriptions over the in-memory broker, with all capabilities and with some of them switched off.

use std::time::Duration;

use diator::subscription::{Capabilities, InMemorySubscription, Release};
use diator::{InMemoryBroker, MessageBroker, OutboundMessage};
use diator_testkit::subscription::{DeadLetter, Faults};

mod broken_subscriptions;

const LOCK: Duration = Duration::from_secs(4);
const ALL: Capabilities = InMemorySubscription::CAPABILITIES.locks_for(LOCK);

/// An engine of its own, which can do what is stated.
struct Engine(InMemoryBroker);

impl Engine {
    fn new() -> Self {
        Self(InMemoryBroker::new())
    }

    fn subscription(&self, capabilities: Capabilities) -> InMemorySubscription {
        self.0.subscription().capabilities(capabilities).handover(Duration::from_secs(3))
    }

    async fn publish(&self, message: &OutboundMessage) {
        self.0.publish(message).await.expect("it accepts");
    }

    fn dead_letters(&self, endpoint: &str) -> Vec<DeadLetter> {
        let letters = self.0.dead_letters(endpoint).into_iter();
        letters.map(|letter| DeadLetter { body: letter.message.body.to_vec(), reason: letter.reason.into() }).collect()
    }
}

#[diator::async_trait]
impl Faults for Engine {
    async fn restart(&self) -> bool {
        self.0.restart();
        true
    }

    async fn cut(&self) -> bool {
        self.0.cut();
        true
    }

    async fn expire(&self, endpoint: &str) -> bool {
        self.0.expire_locks(endpoint);
        true
    }

    async fn revoke(&self, endpoint: &str) -> bool {
        self.0.revoke(endpoint);
        true
    }

    async fn take_partitions(&self, endpoint: &str) -> bool {
        self.0.take_partitions(endpoint);
        true
    }
}

/// A driver of that engine; the subscription may be wrapped into another one.
macro_rules! driver {
    ($driver:ident, $capabilities:expr, $wrap:expr) => {
        struct $driver(crate::Engine);

        #[diator::async_trait]
        impl diator_testkit::subscription::Driver for $driver {
            const CAPABILITIES: diator::subscription::Capabilities = $capabilities;
            const RETAINS: bool = true;
            const VIRTUAL_TIME: bool = true;

            async fn start() -> Self {
                Self(crate::Engine::new())
            }

            fn connect(&self) -> std::sync::Arc<dyn diator::subscription::Subscription> {
                std::sync::Arc::new(($wrap)(self.0.subscription(Self::CAPABILITIES)))
            }

            async fn publish(&self, message: &diator::OutboundMessage) {
                self.0.publish(message).await;
            }

            async fn dead_letters(&self, endpoint: &str) -> Vec<diator_testkit::subscription::DeadLetter> {
                self.0.dead_letters(endpoint)
            }

            async fn replay(&self, endpoint: &str) {
                self.0.0.replay(endpoint);
            }

            fn faults(&self) -> &dyn diator_testkit::subscription::Faults {
                &self.0
            }
        }
    };
}
use driver;

macro_rules! conforms {
    ($(#[$doc:meta])* $module:ident, $capabilities:expr) => {
        $(#[$doc])*
        mod $module {
            use super::*;

            driver!(InMemory, $capabilities, std::convert::identity);

            diator_testkit::subscription_conformance!(InMemory);
        }
    };
}

conforms!(
    /// All that an engine can do.
    with_everything,
    ALL
);

conforms!(
    /// Nothing but to deliver, once at most, to everybody.
    with_nothing,
    Capabilities::none().broadcasts()
);

conforms!(
    /// As Kafka: partitions with owners, groups of several or of one, no locks, settling in order.
    like_a_log,
    Capabilities::none().ordered_by_key().exclusive_keys().competing().broadcasts().redelivers().durable().replayable()
);

conforms!(
    /// As a quorum queue: everybody competes, releases are counted, there is a limit, and a lock that is over ends the connection.
    like_a_queue,
    Capabilities::none()
        .competing()
        .redelivers()
        .counts()
        .releases(Release::Counted)
        .delivery_limit(5)
        .locks_for(LOCK)
        .lock_ends_opening()
        .dead_letters()
        .settles_out_of_order()
        .durable()
);

conforms!(
    /// As Service Bus without sessions: locks that are extended, and schedules.
    like_a_bus,
    Capabilities::none()
        .competing()
        .redelivers()
        .counts()
        .releases(Release::Counted)
        .delivery_limit(10)
        .locks_for(LOCK)
        .extends()
        .delayed_retry(Duration::from_secs(60 * 60))
        .dead_letters()
        .settles_out_of_order()
        .durable()
);

conforms!(
    /// As a stream with a consumer group: locks by idle time, free releases.
    like_a_stream,
    Capabilities::none()
        .ordered_by_key()
        .competing()
        .redelivers()
        .counts()
        .releases(Release::Uncounted)
        .delivery_limit(4)
        .locks_for(LOCK)
        .extends()
        .settles_out_of_order()
        .durable()
        .replayable()
);

conforms!(
    /// Owners without order, with locks that nobody can extend.
    owners_without_order,
    Capabilities::none()
        .exclusive_keys()
        .competing()
        .redelivers()
        .releases(Release::Uncounted)
        .locks_for(LOCK)
        .settles_out_of_order()
);

conforms!(
    /// Each process has all messages, and keeps what it did not settle.
    for_everybody,
    Capabilities::none()
        .broadcasts()
        .ordered_by_key()
        .redelivers()
        .counts()
        .releases(Release::Uncounted)
        .locks_for(LOCK)
        .extends()
        .delayed_retry(Duration::from_secs(60))
        .retry_counts()
        .dead_letters()
        .settles_out_of_order()
);

conforms!(
    /// Owners with locks, but what is taken comes no more.
    at_most_once_with_owners,
    Capabilities::none().ordered_by_key().exclusive_keys().competing().locks_for(LOCK).extends().settles_out_of_order()
);
