//! The engine of the drills keeps the contract of subscriptions over its loopback connection.

use std::sync::Arc;

use diator::async_trait;
use diator::broker::{MessageBroker, OutboundMessage};
use diator::subscription::{Capabilities, Subscription};
use diator_faults::engine::{Engine, Remote, wire};
use diator_testkit::subscription::{DeadLetter, Driver, Faults};

struct Loopback(Engine);

#[async_trait]
impl Driver for Loopback {
    const CAPABILITIES: Capabilities = wire::CAPABILITIES;
    const RETAINS: bool = true;

    async fn start() -> Self {
        Self(Engine::start())
    }

    fn connect(&self) -> Arc<dyn Subscription> {
        Arc::new(Remote(self.0.address()))
    }

    async fn publish(&self, message: &OutboundMessage) {
        self.0.broker.publish(message).await.expect("it accepts everything");
    }

    async fn dead_letters(&self, endpoint: &str) -> Vec<DeadLetter> {
        let letters = self.0.broker.dead_letters(endpoint).into_iter();
        letters.map(|letter| DeadLetter { body: letter.message.body.to_vec(), reason: letter.reason.into() }).collect()
    }

    async fn replay(&self, endpoint: &str) {
        self.0.broker.replay(endpoint);
    }

    fn faults(&self) -> &dyn Faults {
        self
    }
}

#[async_trait]
impl Faults for Loopback {
    async fn cut(&self) -> bool {
        self.0.broker.cut();
        true
    }

    async fn expire(&self, endpoint: &str) -> bool {
        self.0.broker.expire_locks(endpoint);
        true
    }

    async fn revoke(&self, endpoint: &str) -> bool {
        self.0.broker.revoke(endpoint);
        true
    }

    async fn take_partitions(&self, endpoint: &str) -> bool {
        self.0.broker.take_partitions(endpoint);
        true
    }
}

diator_testkit::subscription_conformance!(Loopback);
