//! Code of the program, or of a driver, that panics where nobody expects it.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tracing::field::{Field, Visit};
use tracing::span;
use uuid::Uuid;

use super::engine::{Engine, able};
use super::world::{Bomb, Charge, Conduct, Post, World, millis, pass, secs};
use crate::BoxError;
use crate::endpoint::{AttemptLog, Attempts, Ended, EndpointState, ErrorPolicy};
use crate::handlers;
use crate::subscription::{Redelivered, Verdict};

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_where_it_should_show_itself_is_a_failure_of_its_handler() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.script.say("charge", 1, [Conduct::Bomb, Conduct::Bomb]);
    world.start(world.endpoint().errors(ErrorPolicy::new().immediately(1)));
    let tag = engine.publish("", 1);
    engine.publish("", 2);
    pass(secs(1)).await;
    let reason = "charge: an error that does not show itself: it panicked: the error panics";
    assert_eq!((engine.dead(tag).as_deref(), engine.acked()), (Some(reason), vec![2]));
    assert_eq!((engine.opened(), world.health().await.failed), (1, 2));
}

/// Fails, with errors that panic where they should show themselves: at the first beginning, and at each end.
#[derive(Default)]
struct Failing(AtomicBool);

#[async_trait]
impl AttemptLog for Failing {
    async fn begin(&self, _: &str, messages: &[Uuid]) -> Result<Vec<Attempts>, BoxError> {
        let begins = self.0.swap(true, Ordering::SeqCst);
        if begins { Ok(vec![Attempts::NONE; messages.len()]) } else { Err(Bomb.into()) }
    }

    async fn end(&self, _: &str, _: &[(Uuid, Ended)]) -> Result<(), BoxError> {
        Err(Bomb.into())
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_log_that_panics_makes_no_dead_letter() {
    let engine = Engine::new(able());
    let mut world = World::new(engine.clone());
    world.start(world.endpoint().attempt_log(Failing::default()));
    let tag = engine.publish_as("OrderPlaced", "", 1, |delivery| delivery.with_redelivered(Redelivered::Yes));
    pass(secs(60)).await;
    assert_eq!((engine.verdict(tag), engine.opened()), (Some(Verdict::Ack), 1));
    assert_eq!(world.script.numbers("charge"), [1]);
}

/// Panics at the first warning of a handler's failure.
#[derive(Default)]
struct Subscriber(AtomicBool);

impl tracing::Subscriber for Subscriber {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut seen = Seen(false);
        event.record(&mut seen);
        assert!(!seen.0 || self.0.swap(true, Ordering::SeqCst), "the subscriber panics");
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Seen(bool);

impl Visit for Seen {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        self.0 |= format!("{value:?}").contains("a handler failed on a message that arrived");
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_panics_gives_its_opening_up_in_order() {
    let _guard = tracing::subscriber::set_default(Subscriber::default());
    let engine = Engine::new(able());
    let mut world = World::with(engine.clone(), handlers![Charge, Post]);
    world.script.say("charge", 1, [Conduct::Hang]);
    world.script.say("post", 2, [Conduct::Fail]);
    world.start(world.endpoint());
    engine.publish("", 1);
    pass(secs(1)).await;
    engine.publish("", 2);
    pass(millis(50)).await;
    let health = world.health().await;
    assert_eq!((health.state, engine.closed(), engine.opened()), (EndpointState::Reopening, 1, 1));
    assert!(health.last_error.is_some_and(|error| error.contains("the subscriber panics")));
    // They come again, and go on where they were, as far as the loop had come to know it.
    engine.publish("", 1);
    engine.publish("", 2);
    pass(secs(1)).await;
    assert_eq!((engine.opened(), engine.acked().len()), (2, 2));
}
