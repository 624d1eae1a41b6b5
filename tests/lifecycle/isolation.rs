//! Two mediators in one process share nothing but the handlers' code.

use diator::MediatorBuilder;
use diator::prelude::*;
use diator_tests::{Ending, Journal, Recorder};

use super::messages::{
    Act, Actor, Book, Bookkeeper, Follow, FollowToo, KeepBooks, React, Refusal, act, announced, done, happened,
};
use super::world::{Way, World, every_way};

every_way! {
    two_mediators_keep_apart_what_they_do,
    a_shutdown_concerns_one_mediator,
    a_handler_is_replaced_in_one_mediator,
}

fn eventful(label: &'static str) -> Act {
    act(move |cx| {
        cx.emit(happened(label));
        cx.emit(announced(label));
        done(Ok(1))
    })
}

async fn two_mediators_keep_apart_what_they_do(way: Way) {
    let (one, other) = (World::new(way), World::new(Way { scoped: !way.scoped, ..way }));
    for _ in 0..2 {
        one.send(eventful("one")).await.expect("it succeeds");
        other.send(eventful("other")).await.expect("it succeeds");
    }
    assert_eq!((one.notes(), one.published()), (vec!["one".to_owned(); 2], vec!["one".to_owned(); 2]));
    assert_eq!((other.notes(), other.published()), (vec!["other".to_owned(); 2], vec!["other".to_owned(); 2]));
    for world in [one, other] {
        assert_eq!(world.endings(), vec![Ending::Committed; if world.way.scoped { 2 } else { 0 }]);
    }
}

async fn a_shutdown_concerns_one_mediator(way: Way) {
    let (one, other) = (World::new(way), World::new(way));
    one.settle().await;
    assert!(matches!(one.send(eventful("one")).await, Err(SendError::ShuttingDown)));
    other.send(eventful("other")).await.expect("it still takes messages");
}

/// Stands in for the command's own handler.
struct Fake;

impl RequestHandler<Act> for Fake {
    async fn handle(&self, _: Act, _: &mut RequestContext<'_, Act>) -> Result<u32, Refusal> {
        Ok(99)
    }
}

async fn a_handler_is_replaced_in_one_mediator(way: Way) {
    let real = World::new(way);
    let faked = World::with(way, |builder, _| builder.replace::<Act>(Fake));
    let same_as_real = World::new(way);
    assert_eq!(real.send(eventful("a")).await.expect("it succeeds"), 1);
    assert_eq!(faked.send(eventful("b")).await.expect("it succeeds"), 99);
    assert_eq!(same_as_real.send(eventful("c")).await.expect("it succeeds"), 1);
    assert_eq!(faked.notes(), [""; 0]);
}

// --- Mediators of different handlers. -----------------------------------------------------------

fn mediator_of(handlers: diator::Handlers) -> (Mediator, Journal) {
    let journal = Journal::default();
    let builder: MediatorBuilder = Mediator::builder().handlers(handlers).without_broker();
    let container = Recorder::with_singletons_only(journal.clone());
    (builder.container(container).build().expect("it is in order"), journal)
}

#[tokio::test]
async fn a_mediator_has_the_handlers_that_it_was_given() {
    let (acting, _) = mediator_of(handlers![Actor]);
    let (keeping, journal) = mediator_of(handlers![Bookkeeper]);
    let (both, _) = mediator_of(handlers![Bookkeeper, Actor]);
    let act = || act(|_| done(Ok(1)));

    assert_eq!(acting.send(act()).await.expect("it succeeds"), 1);
    keeping.send(KeepBooks).await.expect("it succeeds");
    assert_eq!(both.send(act()).await.expect("it succeeds"), 1);
    assert_eq!(journal.notes(), ["kept in scope 0"]);

    let expected = std::any::type_name::<Act>();
    for unhandled in [keeping.send(act()).await, keeping.send_dyn(act()).await] {
        let Err(SendError::Unhandled { request }) = unhandled else { panic!("nobody acts: {unhandled:?}") };
        assert_eq!(request, expected);
    }
    assert!(matches!(acting.send(KeepBooks).await, Err(SendError::Unhandled { .. })));
}

#[tokio::test]
async fn a_nested_request_without_a_handler_fails() {
    let (acting, _) = mediator_of(handlers![Actor]);
    let nesting = act(|cx| {
        Box::pin(async move {
            assert!(matches!(cx.send(KeepBooks).await, Err(SendError::Unhandled { .. })));
            assert!(matches!(cx.send_dyn(KeepBooks).await, Err(SendError::Unhandled { .. })));
            Ok(1)
        })
    });
    assert_eq!(acting.send(nesting).await.expect("it carries on"), 1);
}

#[tokio::test]
async fn an_event_has_the_handlers_that_its_mediator_was_given() {
    let (deaf, deaf_journal) = mediator_of(handlers![Actor, Book]);
    let (hearing, hearing_journal) = mediator_of(handlers![FollowToo, React, Actor, Follow]);
    for mediator in [deaf, hearing] {
        mediator.emit(happened("a")).await.expect("it succeeds");
    }
    assert_eq!(deaf_journal.notes(), [""; 0]);
    assert_eq!(hearing_journal.notes(), ["a"]);
}
