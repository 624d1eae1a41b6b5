//! ruststream-fred, as its documentation shows it.

use std::sync::Arc;

use ruststream_fred::stream::prelude::*;

use crate::bookings::{Desk, Envelope, Server};

macro_rules! subscriber {
    ($name:ident, $workers:literal) => {
        #[subscriber(RedisStream::new("bookings").group("desk"), workers($workers))]
        async fn $name(envelope: &Envelope) -> HandlerOutcome {
            Desk::of_this_turn().handle(&envelope.payload);
            HandlerOutcome::ack()
        }
    };
}

subscriber!(one, 1);
subscriber!(eight, 8);
subscriber!(many, 32);

pub(crate) async fn consume(server: &Server, desk: Arc<Desk>, workers: usize, pipelined: bool) {
    let app = RustStream::new(AppInfo::new("desk", "0.1.0"));
    let app = app.with_broker(RedisBroker::standalone(&*server.url), |broker| match (workers, pipelined) {
        (1, false) => _ = broker.include(one),
        (8, false) => _ = broker.include(eight),
        (_, false) => _ = broker.include(many),
        (1, true) => _ = broker.include(one.pipeline()),
        (8, true) => _ = broker.include(eight.pipeline()),
        (_, true) => _ = broker.include(many.pipeline()),
    });
    app.run_until(async move { desk.has_enough().await }).await.expect("it ends in order");
}
