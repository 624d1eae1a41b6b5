//! Marks: what a message tells middleware.

use std::sync::{Arc, Mutex};

use diator::middleware::{MessageInfo, Middleware, middleware_fn};
use diator::prelude::*;

#[derive(Debug, PartialEq)]
struct Audited;

#[derive(Debug, PartialEq)]
struct RateLimit {
    per_minute: u32,
}

impl RateLimit {
    const fn per_minute(per_minute: u32) -> Self {
        Self { per_minute }
    }
}

const TEN: RateLimit = RateLimit::per_minute(10);

#[derive(Debug, Command)]
#[request(mark = Audited, mark = RateLimit::per_minute(5))]
#[request(mark = TEN)]
struct Marked;

#[derive(Debug, Command)]
struct Plain;

#[derive(Debug, DomainEvent)]
#[event(mark = Audited)]
struct Happened;

#[request_handler(Marked, Plain)]
struct Handler;

impl RequestHandler<Marked> for Handler {
    async fn handle(&self, _: Marked, cx: &mut RequestContext<'_, Marked>) -> Result<(), BoxError> {
        cx.emit(Happened);
        Ok(())
    }
}

impl RequestHandler<Plain> for Handler {
    async fn handle(&self, _: Plain, _: &mut RequestContext<'_, Plain>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[event_handler(Happened)]
struct Note;

impl EventHandler<Happened> for Note {
    async fn handle(&self, _: &Happened, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// The messages that a middleware sees which is only for some.
async fn seen(only: fn(&MessageInfo) -> bool) -> Vec<(&'static str, Vec<u32>)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = middleware_fn({
        let seen = seen.clone();
        move |call, next| {
            let info = call.info();
            let limits = info.marks::<RateLimit>().map(|limit| limit.per_minute).collect();
            seen.lock().unwrap().push((info.message, limits));
            Box::pin(next.run(call))
        }
    });
    let builder = Mediator::builder().handlers(handlers![Handler, Note]).middleware(note.only(only));
    let mediator = builder.build().unwrap();
    mediator.send(Marked).await.unwrap();
    mediator.send(Plain).await.unwrap();
    Arc::try_unwrap({
        drop(mediator);
        seen
    })
    .unwrap()
    .into_inner()
    .unwrap()
}

#[tokio::test]
async fn requests_and_events_carry_them() {
    assert_eq!(seen(MessageInfo::is_marked::<Audited>).await, [("Marked", vec![5, 10]), ("Happened", vec![])]);
}

#[tokio::test]
async fn they_have_values_and_the_first_is_the_one_that_counts() {
    let five = |info: &MessageInfo| info.mark() == Some(&RateLimit { per_minute: 5 });
    assert_eq!(seen(five).await, [("Marked", vec![5, 10])]);
    assert_eq!(seen(|info| info.mark() == Some(&TEN)).await, []);
}

#[tokio::test]
async fn one_of_another_type_is_not_taken_for_it() {
    assert_eq!(seen(MessageInfo::is_marked::<u32>).await, []);
}

#[tokio::test]
async fn a_handler_in_place_of_another_leaves_them() {
    struct Fake;

    impl RequestHandler<Marked> for Fake {
        async fn handle(&self, _: Marked, _: &mut RequestContext<'_, Marked>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    let refuse = middleware_fn(|call, _| {
        let handled = call.reject("it is audited");
        Box::pin(async { handled })
    });
    let builder = Mediator::builder().handlers(handlers![Handler, Note]).replace::<Marked>(Fake);
    let mediator = builder.middleware(refuse.only(MessageInfo::is_marked::<Audited>)).build().unwrap();
    assert!(matches!(mediator.send(Marked).await, Err(SendError::Rejected { .. })));
    mediator.send(Plain).await.unwrap();
}
