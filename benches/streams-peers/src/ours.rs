//! diator with its defaults.

use std::sync::Arc;

use diator::endpoint::Endpoint;
use diator::host::Host;
use diator::prelude::*;
use diator_redis::{RedisConfig, RedisSubscription};

use crate::bookings::{Booked, Desk, GROUP, STREAM, Server};

#[event_handler(Booked)]
struct Note {
    desk: Arc<Desk>,
}

impl EventHandler<Booked> for Note {
    async fn handle(&self, event: &Booked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.desk.handle(event);
        Ok(())
    }
}

pub(crate) async fn consume(server: &Server, desk: Arc<Desk>, workers: usize) {
    let services = Services::new().singleton::<Desk>(desk.clone());
    let mediator = Mediator::from_registry().container(services).without_broker().build().expect("it is complete");
    let subscription = RedisSubscription::new(RedisConfig::streams(&*server.url)).expect("it is right");
    let endpoint = Endpoint::new(GROUP, subscription).topics([STREAM]).concurrency(workers);
    Host::new(mediator).endpoint(endpoint).run_until(desk.has_enough()).await.expect("it ends in order");
}
