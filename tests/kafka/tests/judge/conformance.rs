//! The conformance suite of subscriptions.

use std::sync::Arc;

use diator::OutboundMessage;
use diator::subscription::{Capabilities, Subscription};
use diator_kafka_judge::Kafka;
use diator_testkit::subscription::{DeadLetter, Driver, Faults};

use crate::cluster::Cluster;

struct Mocked(Cluster);

#[diator::async_trait]
impl Driver for Mocked {
    const CAPABILITIES: Capabilities = Kafka::CAPABILITIES;
    const RETAINS: bool = true;

    async fn start() -> Self {
        Self(Cluster::start())
    }

    fn connect(&self) -> Arc<dyn Subscription> {
        Arc::new(self.0.kafka())
    }

    async fn publish(&self, message: &OutboundMessage) {
        self.0.publish(message).await;
    }

    async fn dead_letters(&self, endpoint: &str) -> Vec<DeadLetter> {
        self.0.dead_letters(endpoint)
    }

    async fn replay(&self, endpoint: &str) {
        self.0.replay(endpoint).await;
    }

    fn faults(&self) -> &dyn Faults {
        &self.0
    }
}

diator_testkit::subscription_conformance!(Mocked);
