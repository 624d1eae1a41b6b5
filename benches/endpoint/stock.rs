//! A subscription that answers at once, whatever it is asked: its messages are in memory, encoded.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use diator::subscription::{
    Capabilities, ConsumeError, Delivery, DeliveryTag, Observation, Opened, Ownership, Release, Settle, Settled,
    Settlement, Source, Subscription, Taken, Verdict, Wanted,
};
use serde_json::json;
use tokio::sync::Notify;
use uuid::Uuid;

use super::booked::{Booked, KEYS, TOPIC};

/// Messages, shared by all turns.
#[derive(Clone)]
pub(crate) struct Bodies(Arc<[Arc<[u8]>]>);

impl Bodies {
    pub(crate) fn new(count: u64) -> Self {
        let body = |number: u64| {
            let body = json!({
                "message_type": "notification_event",
                "message_name": "Booked",
                "message_id": Uuid::from_u128(u128::from(number) + 1),
                "payload": Booked::new(number),
            });
            body.to_string().into_bytes().into()
        };
        Self((0..count).map(body).collect())
    }
}

/// All messages once.
#[derive(Clone)]
pub(crate) struct Stock(Arc<Inner>);

struct Inner {
    bodies: Bodies,
    acked: AtomicUsize,
    all_acked: Notify,
}

impl Stock {
    pub(crate) fn new(bodies: &Bodies) -> Self {
        Self(Arc::new(Inner { bodies: bodies.clone(), acked: AtomicUsize::new(0), all_acked: Notify::new() }))
    }

    pub(crate) async fn all_acked(&self) {
        self.0.all_acked.notified().await;
    }

    /// Both sides, for a loop that is written by hand.
    pub(crate) fn opened(&self) -> Opened {
        Opened::new(Shelf { stock: self.clone(), topic: TOPIC.into(), taken: 0 }, Arc::new(self.clone()))
    }
}

#[async_trait]
impl Subscription for Stock {
    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
            .ordered_by_key()
            .exclusive_keys()
            .competing()
            .redelivers()
            .releases(Release::Uncounted)
            .locks_for(Duration::from_secs(30))
            .extends()
            .dead_letters()
            .settles_out_of_order()
    }

    async fn open(&self, _: &Wanted<'_>) -> Result<Opened, ConsumeError> {
        Ok(self.opened())
    }
}

struct Shelf {
    stock: Stock,
    topic: Arc<str>,
    taken: usize,
}

#[async_trait]
impl Source for Shelf {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        let Bodies(bodies) = &self.stock.0.bodies;
        let end = bodies.len().min(self.taken + credit);
        if self.taken == end {
            pending::<()>().await;
        }
        let delivery = |number: usize| {
            Delivery::new(DeliveryTag(number as u64), self.topic.clone(), bodies[number].clone())
                .with_key((number as u64 % KEYS).to_string())
                .with_content_type("application/json")
        };
        let deliveries = (self.taken..end).map(delivery).collect();
        self.taken = end;
        Ok(Taken::Deliveries(deliveries))
    }
}

#[async_trait]
impl Settle for Stock {
    async fn settle(&self, batch: &[Settlement]) -> Vec<Result<Settled, ConsumeError>> {
        let Inner { bodies: Bodies(bodies), acked, all_acked } = &*self.0;
        let acks = batch.iter().filter(|settlement| settlement.verdict == Verdict::Ack).count();
        if acked.fetch_add(acks, Ordering::Relaxed) + acks == bodies.len() {
            all_acked.notify_one();
        }
        batch.iter().map(|_| Ok(Settled::Done)).collect()
    }

    async fn extend(&self, held: &[DeliveryTag]) -> Vec<Result<Settled, ConsumeError>> {
        held.iter().map(|_| Ok(Settled::Done)).collect()
    }

    fn revoked(&self, _: &[Ownership]) {}

    async fn observe(&self) -> Result<Observation, ConsumeError> {
        Ok(Observation::unknown())
    }

    async fn close(&self) {}
}
