//! An event, and a handler that does next to nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use diator::endpoint::{Endpoint, Order};
use diator::host::Host;
use diator::prelude::*;
use diator_redis::RedisSubscription;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::server::Server;

pub(crate) const TOPIC: &str = "bookings";
pub(crate) const KEYS: u64 = 1_000;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "bookings", key = room)]
pub(crate) struct Booked {
    pub(crate) room: u64,
    pub(crate) guest: String,
    /// When it was published, in microseconds of a clock that both sides have; 0 if nobody asks.
    pub(crate) sent: u64,
}

impl Booked {
    pub(crate) fn new(room: u64, guest: String) -> Self {
        Self { room, guest, sent: 0 }
    }
}

/// What has arrived.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    handled: AtomicU64,
    enough: u64,
    is_enough: Notify,
    /// How long each message took, in microseconds, if the time is noted.
    pub(crate) took: Option<Mutex<Vec<u64>>>,
}

impl Desk {
    /// It waits until so many messages were handled.
    pub(crate) fn new(enough: u64) -> Arc<Self> {
        Arc::new(Self { enough, ..Self::default() })
    }

    /// It also notes how long each took.
    pub(crate) fn noting(enough: u64) -> Arc<Self> {
        Arc::new(Self { enough, took: Some(Mutex::default()), ..Self::default() })
    }

    pub(crate) async fn has_enough(&self) {
        self.is_enough.notified().await;
    }

    /// What both sides do with an event.
    pub(crate) fn handle(&self, event: &Booked) {
        if let Some(took) = &self.took {
            took.lock().expect("nobody panics").push(now().saturating_sub(event.sent));
        }
        if self.handled.fetch_add(1, Ordering::Relaxed) + 1 == self.enough {
            self.is_enough.notify_one();
        }
    }
}

/// The clock of both sides, in microseconds.
pub(crate) fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later than 1970");
    u64::try_from(now.as_micros()).expect("it is not that late")
}

#[event_handler(Booked, id = "desk.note")]
struct Note {
    desk: Arc<Desk>,
}

impl EventHandler<Booked> for Note {
    async fn handle(&self, event: &Booked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.desk.handle(event);
        Ok(())
    }
}

/// A service with default settings but for these.
pub(crate) fn host(server: &Server, group: &str, desk: &Arc<Desk>, workers: usize, order: Order) -> Host {
    let services = Services::new().singleton::<Desk>(desk.clone());
    let mediator = Mediator::builder().handlers(handlers![Note]).container(services).without_broker();
    let subscription = RedisSubscription::new(server.config(order == Order::PerKey)).expect("it is right");
    let endpoint = Endpoint::new(group, subscription).topics([TOPIC]).concurrency(workers).order(order);
    Host::new(mediator.build().expect("it is complete")).endpoint(endpoint)
}
