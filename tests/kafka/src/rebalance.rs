use std::sync::Arc;

use diator::subscription::Taken;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::time::Instant;

use crate::shared::{Leaving, Shared, places};

/// What librdkafka calls, in the polling thread.
pub(crate) struct Context(pub(crate) Arc<Shared>);

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let done = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let mut state = self.0.state();
            places(partitions).for_each(|place| state.own(place, None));
            // They are not paused yet.
            state.paused = false;
            drop(state);
            consumer.incremental_assign(partitions)
        } else {
            self.revoke(consumer, partitions)
        };
        if let Err(error) = done {
            self.0.end(&format!("it cannot rebalance: {error}"));
        }
        self.0.stirred.notify_waiters();
    }
}

impl Context {
    /// Unassigning is what gives partitions up: the polling thread does it later, when the endpoint is done with them.
    fn revoke(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) -> KafkaResult<()> {
        let mut state = self.0.state();
        let owners = state.stop_yielding(partitions);
        let lost = consumer.assignment_lost();
        if lost || state.over.is_some() || owners.is_empty() {
            state.give_up(partitions);
            if lost {
                state.news.push_back(Taken::Lost { owners });
            }
            drop(state);
            return consumer.incremental_unassign(partitions);
        }
        let by = Instant::now() + self.0.handover;
        state.leaving = Some(Leaving { partitions: partitions.clone(), kept: owners.iter().copied().collect(), by });
        state.news.push_back(Taken::Revoking { owners, by });
        Ok(())
    }
}

impl ClientContext for Context {
    fn stats(&self, statistics: Statistics) {
        let received = statistics.brokers.values().map(|broker| broker.rxbytes).sum();
        let mut state = self.0.state();
        if received > state.received {
            (state.received, state.heard) = (received, Some(Instant::now()));
        }
    }

    fn error(&self, _: KafkaError, _: &str) {}
}
