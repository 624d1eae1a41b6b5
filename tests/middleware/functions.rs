//! Functions as middleware, and which messages they are for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diator::middleware::{Answered, Call, MessageKind, Middleware, Next, middleware_fn};
use diator::prelude::*;

use super::seats::{Reserve, Seats};

#[tokio::test]
async fn a_closure_sees_the_message_and_what_came_of_it() {
    let seats = Seats::default();
    let journal = seats.journal.clone();
    let note = middleware_fn(move |call, next| {
        let journal = journal.clone();
        Box::pin(async move {
            journal.note(format!("> {}", call.info().message));
            let handled = next.run(call).await;
            journal.note(format!("< {}", call.error().is_none()));
            handled
        })
    });
    let mediator = seats.with(note.only(|info| info.kind == MessageKind::Command));
    mediator.send(Reserve(1)).await.unwrap();
    let notes = ["> Reserve", "reserve 1", "reserved 1", "commit begins", "commit", "ticket 1", "< true"];
    assert_eq!(seats.journal.notes(), notes);
}

async fn refuse_odd_seats(call: &mut Call<'_>, next: Next<'_>) -> Answered {
    match call.message::<Reserve>() {
        Some(Reserve(seat)) if seat % 2 == 1 => call.reject("it is broken"),
        _ => next.run(call).await,
    }
}

#[tokio::test]
async fn an_async_function_is_called_in_a_closure_and_errors_say_where_that_is() {
    let seats = Seats::default();
    let mediator = seats.with(middleware_fn(|call, next| Box::pin(refuse_odd_seats(call, next))));
    assert_eq!(mediator.send(Reserve(2)).await.unwrap(), 2);
    let error = mediator.send(Reserve(1)).await.unwrap_err();
    let SendError::Rejected { middleware, .. } = error else { panic!("{error:?}") };
    let this_test = "functions::an_async_function_is_called_in_a_closure_and_errors_say_where_that_is";
    assert!(middleware.ends_with(this_test), "{middleware}");
}

#[tokio::test]
async fn a_name_of_its_own_stands_in_errors_also_through_wrappers() {
    let closed = middleware_fn(|call, _| {
        let handled = call.answer("no seat");
        Box::pin(async { handled })
    });
    let closed = closed.named("closed").only(|info| info.kind == MessageKind::Command);
    let closed: Arc<Box<dyn Middleware>> = Arc::new(Box::new(closed));
    let error = Seats::default().with(closed).send(Reserve(1)).await.unwrap_err();
    assert!(matches!(error, SendError::WrongAnswer { middleware: "closed", expected: "u32", .. }), "{error:?}");
}

#[tokio::test]
async fn conditions_add_up() {
    let seats = Seats::default();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = middleware_fn({
        let count = count.clone();
        move |call, next| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(next.run(call))
        }
    });
    let events = counter.only(|info| info.kind == MessageKind::DomainEvent);
    let mediator = seats.with(events.only(|info| info.handler.ends_with("SendTicket")));
    mediator.send(Reserve(1)).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

/// A middleware that can be switched off.
struct Switch(Arc<AtomicUsize>);

#[diator::async_trait]
impl Middleware for Switch {
    fn is_active(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 1
    }

    async fn handle(&self, call: &mut Call<'_>, _: Next<'_>) -> Answered {
        call.reject("it is on")
    }
}

#[tokio::test]
async fn one_that_is_not_active_is_passed_over_until_it_is() {
    let switch = Arc::new(AtomicUsize::new(0));
    let outer = middleware_fn(|call, next| Box::pin(next.run(call)));
    let mediator = Seats::default().builder().middleware(outer).middleware(Switch(switch.clone())).build().unwrap();
    assert_eq!(mediator.send(Reserve(1)).await.unwrap(), 1);
    switch.store(1, Ordering::SeqCst);
    assert!(matches!(mediator.send(Reserve(1)).await, Err(SendError::Rejected { .. })));
}
