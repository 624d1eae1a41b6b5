//! An event, and a handler that does next to nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diator::MediatorBuilder;
use diator::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::sleep;

pub(crate) const TOPIC: &str = "bookings";
pub(crate) const KEYS: u64 = 1_000;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "bookings", key = room)]
pub(crate) struct Booked {
    pub(crate) room: u64,
    pub(crate) guest: String,
    pub(crate) nights: u32,
}

impl Booked {
    pub(crate) fn new(number: u64) -> Self {
        Self { room: number % KEYS, guest: "Ada Lovelace".to_owned(), nights: 3 }
    }
}

/// How long the handler takes, and how many messages it has handled.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// For the first key.
    slow: Duration,
    /// For the other keys.
    others: Duration,
    handled: AtomicU64,
    /// Those of the first key do not count.
    enough: u64,
    is_enough: Notify,
}

impl Desk {
    /// It waits until so many messages were handled; those of a slow key are not among them.
    pub(crate) fn new(enough: u64) -> Self {
        Self { enough, ..Self::default() }
    }

    /// The handler takes so long for the first key, and for the others.
    pub(crate) fn taking(mut self, slow: Duration, others: Duration) -> Self {
        (self.slow, self.others) = (slow, others);
        self
    }

    pub(crate) async fn has_enough(&self) {
        self.is_enough.notified().await;
    }
}

#[event_handler(Booked, id = "desk.note")]
pub(crate) struct Note {
    desk: Arc<Desk>,
}

impl EventHandler<Booked> for Note {
    async fn handle(&self, event: &Booked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        let Desk { slow, others, handled, enough, is_enough } = &*self.desk;
        let is_slow = event.room == 0 && !slow.is_zero();
        let time = if is_slow { *slow } else { *others };
        if !time.is_zero() {
            sleep(time).await;
        }
        if !is_slow && handled.fetch_add(1, Ordering::Relaxed) + 1 == *enough {
            is_enough.notify_one();
        }
        Ok(())
    }
}

pub(crate) fn mediator(desk: &Arc<Desk>) -> Mediator {
    builder(desk).without_broker().build().expect("it is complete")
}

/// An engine in memory, where so many messages wait.
pub(crate) async fn filled(messages: u64) -> InMemoryBroker {
    let broker = InMemoryBroker::new();
    let publisher = builder(&Arc::default()).broker(broker.clone()).build().expect("it is complete");
    for number in 0..messages {
        publisher.emit(Booked::new(number)).await.expect("it is taken");
    }
    broker
}

fn builder(desk: &Arc<Desk>) -> MediatorBuilder {
    let services = Services::new().singleton::<Desk>(desk.clone());
    Mediator::builder().handlers(handlers![Note]).container(services)
}
