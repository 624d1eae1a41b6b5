use std::future::{pending, ready};

use diator::BoxError;
use diator::host::{Host, HostError};
use diator::outbox::InMemoryOutbox;
use diator::prelude::*;
use diator::relay::Relay;

use super::world::{Notes, WorkHandler, World};

/// The text of the host's refusal, which comes before anything starts.
async fn refusal(host: Host) -> (HostError, String) {
    let notes = Notes::default();
    let front = notes.clone();
    let host = host.front(move |_| {
        front.note("the front has started");
        pending::<Result<(), BoxError>>()
    });
    let error = host.run_until(pending::<()>()).await.unwrap_err();
    assert_eq!(notes.all(), [""; 0]);
    let text = error.to_string();
    (error, text)
}

fn relayed_elsewhere(outbox: &InMemoryOutbox) -> Mediator {
    let builder = Mediator::builder().handlers(handlers![WorkHandler]).container(outbox.services());
    builder.broker(InMemoryBroker::new()).outbox(outbox.clone()).relayed_elsewhere().build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_nothing_relays() {
    let world = World::new();
    let (error, text) = refusal(world.host()).await;
    assert!(matches!(error, HostError::NoRelay));
    assert!(text.contains("`.relay(store.relay())`") && text.contains("`.relayed_elsewhere()`"), "{text}");
    Host::new(relayed_elsewhere(&world.outbox)).run_until(ready(())).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_relay_for_a_mediator_without_an_outbox() {
    let world = World::without_outbox();
    let (error, text) = refusal(world.host().relay(world.relay())).await;
    assert!(matches!(error, HostError::NoOutbox));
    assert!(text.contains("`.outbox(store.outbox())`") && text.contains("`Relay::run_until`"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_reads_elsewhere() {
    let world = World::new();
    let other = || Relay::new(InMemoryOutbox::new());
    let (error, text) = refusal(world.host().relay(other())).await;
    let HostError::OtherStore { outbox, relay } = error else { panic!("{error}") };
    assert!(text.contains(&outbox) && text.contains(&relay) && outbox != relay, "{text}");
    // The program says that it knows.
    Host::new(relayed_elsewhere(&world.outbox)).relay(other()).run_until(ready(())).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn main_shows_the_error_with_its_causes() {
    let front = |_| ready(Err::<(), BoxError>("no address".into()));
    let error = World::without_outbox().host().front(front).run_until(pending::<()>()).await.unwrap_err();
    assert_eq!(format!("{error:?}"), "a front failed\n  caused by: no address");
}
