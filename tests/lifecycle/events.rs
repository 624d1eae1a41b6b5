//! Step 5, domain events: first in first out, in `order`, up to the first error, and never without end.

use std::sync::Arc;

use diator::prelude::*;
use diator::{BoxFuture, CascadeLimit, CascadeLimits};
use diator_testkit::yields;
use diator_tests::Journal;

use super::messages::{Act, Happened, Unheard, act, announced, done, happened, happened_then, settled};
use super::world::{Way, World, every_way};

every_way! {
    events_are_handled_before_the_response_comes_back,
    events_are_handled_first_in_first_out,
    events_of_event_handlers_go_to_the_end_of_the_queue,
    event_handlers_run_one_after_the_other,
    handlers_of_one_event_run_in_order,
    handlers_of_equal_order_run_in_the_same_sequence_each_time,
    the_first_error_stops_and_names_event_and_handler,
    an_error_in_a_later_event_undoes_the_earlier_ones,
    an_event_without_handlers_is_fine,
    an_endless_cascade_ends_at_the_depth_limit,
    an_exponential_cascade_ends_at_the_event_limit,
    what_a_request_emits_itself_is_no_cascade,
    ten_thousand_events_of_an_event_are_not_too_many,
    the_limits_are_those_of_the_builder,
    one_more_is_too_many,
}

/// A command that emits these domain events and answers 1.
fn emitting(events: Vec<Happened>) -> Act {
    act(move |cx| {
        events.into_iter().for_each(|event| cx.emit(event));
        done(Ok(1))
    })
}

async fn events_are_handled_before_the_response_comes_back(way: Way) {
    let world = World::new(way);
    assert_eq!(world.send(emitting(vec![happened("a")])).await.expect("it succeeds"), 1);
    assert_eq!(world.notes(), ["a"]);
    world.assert_committed();
}

async fn events_are_handled_first_in_first_out(way: Way) {
    let world = World::new(way);
    world.send(emitting(["a", "b", "c", "d"].map(happened).into())).await.expect("it succeeds");
    assert_eq!(world.notes(), ["a", "b", "c", "d"]);
}

async fn events_of_event_handlers_go_to_the_end_of_the_queue(way: Way) {
    let world = World::new(way);
    let causing = happened_then("a", |cx| {
        cx.emit(happened("caused by a"));
        done(Ok(()))
    });
    world.send(emitting(vec![causing, happened("b"), happened("c")])).await.expect("it succeeds");
    assert_eq!(world.notes(), ["a", "b", "c", "caused by a"]);
    world.assert_committed();
}

async fn event_handlers_run_one_after_the_other(way: Way) {
    let world = World::new(way);
    let slow = |label: &'static str, journal: Journal| {
        happened_then(label, move |_| {
            let journal = journal.clone();
            Box::pin(async move {
                yields(3).await;
                journal.note(format!("{label} is done"));
                Ok(())
            })
        })
    };
    let events = vec![slow("a", world.journal.clone()), slow("b", world.journal.clone())];
    world.send(emitting(events)).await.expect("it succeeds");
    assert_eq!(world.notes(), ["a", "a is done", "b", "b is done"]);
}

// --- The order of one event's handlers. ---------------------------------------------------------

#[derive(DomainEvent)]
struct Ranked(&'static str);

/// Declares a handler of [`Ranked`] that notes its name.
macro_rules! ranked_handler {
    ($name:ident, $order:literal) => {
        #[event_handler(Ranked, order = $order)]
        struct $name {
            journal: Arc<Journal>,
        }

        impl EventHandler<Ranked> for $name {
            async fn handle(&self, event: &Ranked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
                self.journal.note(concat!(stringify!($name), " ").to_owned() + event.0);
                Ok(())
            }
        }
    };
}

ranked_handler!(Last, 2147483647);
ranked_handler!(Second, -1);
ranked_handler!(Fourth, 10);
ranked_handler!(First, -100);

/// Without an `order`, which means 0.
#[event_handler(Ranked)]
struct Third {
    journal: Arc<Journal>,
}

impl EventHandler<Ranked> for Third {
    async fn handle(&self, event: &Ranked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note(format!("Third {}", event.0));
        Ok(())
    }
}

ranked_handler!(EqualA, 7);
ranked_handler!(EqualB, 7);
ranked_handler!(EqualC, 7);

async fn handlers_of_one_event_run_in_order(way: Way) {
    let world = World::with(way, |builder, _| builder.handlers(handlers![Last, Second, Fourth, First, Third]));
    let ranked = act(|cx| {
        cx.emit(Ranked("a"));
        cx.emit(Ranked("b"));
        done(Ok(0))
    });
    world.send(ranked).await.expect("it succeeds");
    let all = |event: &str| ["First", "Second", "Third", "Fourth", "Last"].map(|name| format!("{name} {event}"));
    assert_eq!(world.notes(), [all("a"), all("b")].concat());
}

async fn handlers_of_equal_order_run_in_the_same_sequence_each_time(way: Way) {
    let sequence = async || {
        let world = World::with(way, |builder, _| builder.handlers(handlers![EqualC, EqualA, EqualB]));
        let ranked = || {
            act(|cx| {
                cx.emit(Ranked(""));
                done(Ok(0))
            })
        };
        world.send(ranked()).await.expect("it succeeds");
        world.send(ranked()).await.expect("it succeeds");
        world.notes()
    };
    let first = sequence().await;
    assert_eq!(first.len(), 6, "each of them ran each time");
    assert_eq!(first[..3], first[3..]);
    assert_eq!(sequence().await, first);
}

// --- Errors. ------------------------------------------------------------------------------------

fn failing(label: &str) -> Happened {
    happened_then(label, |_| done(Err("the room is closed".into())))
}

/// Runs before `React`, which fails.
#[event_handler(Happened, order = -1)]
struct Before {
    journal: Arc<Journal>,
}

/// Would run after `React`, which fails.
#[event_handler(Happened, order = 1)]
struct After {
    journal: Arc<Journal>,
}

impl EventHandler<Happened> for Before {
    async fn handle(&self, _: &Happened, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note("before");
        Ok(())
    }
}

impl EventHandler<Happened> for After {
    async fn handle(&self, _: &Happened, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.journal.note("after");
        Ok(())
    }
}

async fn the_first_error_stops_and_names_event_and_handler(way: Way) {
    let world = World::with(way, |builder, _| builder.handlers(handlers![Before, After]));
    let sent = world.send(emitting(vec![failing("a"), happened("b")])).await;
    let Err(SendError::Event { event, handler, source }) = sent else { panic!("the event fails: {sent:?}") };
    assert_eq!(event, "Happened");
    assert!(handler.ends_with("React"), "{handler}");
    assert_eq!(source.to_string(), "the room is closed");
    assert_eq!(world.notes(), ["before", "a"], "neither the handler after it ran, nor the next event's");
    world.assert_rolled_back();
}

async fn an_error_in_a_later_event_undoes_the_earlier_ones(way: Way) {
    let world = World::new(way);
    let sent = world
        .send(act(|cx| {
            cx.emit(announced("never sent"));
            cx.emit(settled("never settled"));
            cx.emit(happened("a"));
            cx.emit(failing("b"));
            done(Ok(1))
        }))
        .await;
    assert!(matches!(sent, Err(SendError::Event { .. })), "{sent:?}");
    assert_eq!(world.notes(), ["a", "b"]);
    world.assert_rolled_back();
}

async fn an_event_without_handlers_is_fine(way: Way) {
    let world = World::new(way);
    let unheard = act(|cx| {
        cx.emit(Unheard);
        done(Ok(1))
    });
    assert_eq!(world.send(unheard).await.expect("it succeeds"), 1);
    world.assert_committed();
}

// --- Cascades. ----------------------------------------------------------------------------------

/// An event whose handler emits `width` such events.
fn cascade(width: usize) -> Happened {
    happened_then("again", move |cx| -> BoxFuture<'_, _> {
        (0..width).for_each(|_| cx.emit(cascade(width)));
        done(Ok(()))
    })
}

async fn an_endless_cascade_ends_at_the_depth_limit(way: Way) {
    let world = World::new(way);
    let sent = world.send(emitting(vec![cascade(1)])).await;
    let Err(SendError::Cascade { message, limit }) = sent else { panic!("it is too deep: {sent:?}") };
    assert_eq!((message, limit), ("Happened", CascadeLimit::Depth(64)));
    let around_it = usize::from(way.is_nested());
    assert_eq!(around_it + world.notes().len(), 64, "as many levels below the message from outside");
    world.assert_rolled_back();
}

async fn an_exponential_cascade_ends_at_the_event_limit(way: Way) {
    let world = World::new(way);
    let sent = world.send(emitting(vec![cascade(2)])).await;
    let Err(SendError::Cascade { message, limit }) = sent else { panic!("it is too much: {sent:?}") };
    assert_eq!((message, limit), ("Happened", CascadeLimit::Events(10_000)));
    assert!(world.notes().len() <= 10_000);
    world.assert_rolled_back();
}

/// An event whose handler emits so many that cause nothing.
fn scattering(width: usize) -> Happened {
    happened_then("scattered", move |cx| -> BoxFuture<'_, _> {
        (0..width).for_each(|_| cx.emit(happened("a")));
        done(Ok(()))
    })
}

async fn what_a_request_emits_itself_is_no_cascade(way: Way) {
    let world = World::new(way);
    world.send(emitting(vec![happened("a"); 10_001])).await.expect("an import may emit as many as it likes");
    assert_eq!(world.notes().len(), 10_001);
    world.assert_committed();
}

async fn ten_thousand_events_of_an_event_are_not_too_many(way: Way) {
    let world = World::new(way);
    world.send(emitting(vec![scattering(10_000)])).await.expect("the limit is not exceeded");
    assert_eq!(world.notes().len(), 10_001);
    world.assert_committed();
    world.send(emitting(vec![scattering(10_000)])).await.expect("each message has its own count");
}

async fn one_more_is_too_many(way: Way) {
    let world = World::new(way);
    let error = world.send(emitting(vec![scattering(10_001)])).await.expect_err("it is too much");
    assert!(matches!(error, SendError::Cascade { limit: CascadeLimit::Events(10_000), .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "`Happened` exceeds the limit of 10000 events that the events of one message cause; break the cycle, or raise it \
         with `.cascade_limits(CascadeLimits::new().events(…))`"
    );
    world.assert_rolled_back();
}

async fn the_limits_are_those_of_the_builder(way: Way) {
    let limits = CascadeLimits::new().depth(3).events(5);
    let world = World::with(way, |builder, _| builder.cascade_limits(limits));
    let error = world.send(emitting(vec![cascade(1)])).await.expect_err("it is too deep");
    assert!(matches!(error, SendError::Cascade { limit: CascadeLimit::Depth(3), .. }), "{error:?}");
    let error = world.send(emitting(vec![scattering(6)])).await.expect_err("it is too much");
    assert!(matches!(error, SendError::Cascade { limit: CascadeLimit::Events(5), .. }), "{error:?}");
    let wide = World::with(way, |builder, _| builder.cascade_limits(CascadeLimits::new().events(20_000)));
    wide.send(emitting(vec![scattering(15_000)])).await.expect("the limit was raised");
}
