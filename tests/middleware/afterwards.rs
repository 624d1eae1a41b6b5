//! What a middleware makes of an outcome that is there already: nothing that is committed may be denied or get lost.

use std::error::Error;

use diator::Committed;
use diator::broker::PublishErrorKind;
use diator::middleware::{Answered, Call, MiddlewareFn, middleware_fn};
use diator::prelude::*;
use diator::{Middleware, SendErrorKind};

use super::seats::{Reserve, ReserveForGroup, SeatError, Seats};

/// Does something to each request once it is answered.
fn afterwards(then: impl Fn(&mut Call<'_>) -> Answered + Clone + Send + Sync + 'static) -> impl Middleware {
    let middleware: MiddlewareFn<_> = middleware_fn(move |call, next| {
        let then = then.clone();
        Box::pin(async move {
            let _handled = next.run(call).await;
            then(call)
        })
    });
    middleware.named("late").only(|info| info.kind.as_str() == "command")
}

fn too_late() -> impl Middleware {
    afterwards(|call| call.reject("too late"))
}

#[tokio::test]
async fn who_refuses_what_is_committed_says_so() {
    let seats = Seats::default();
    let error = seats.with(too_late()).send(Reserve(7)).await.unwrap_err();
    assert_eq!(error.committed(), Committed::Yes, "{error:?}");
    assert_eq!(error.kind(), SendErrorKind::RejectedAfterCommit);
    assert_eq!(error.to_string(), "`late` refused the message after it had been committed");
    assert_eq!(error.source().unwrap().to_string(), "too late");
    assert_eq!(seats.broker.len(), 1, "it was published");
}

#[tokio::test]
async fn what_failed_or_never_ran_is_not_committed() {
    let seats = Seats::default();
    seats.script.fail([SeatError::Taken]);
    let error = seats.with(too_late()).send(Reserve(7)).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Rejected, "{error:?}");

    let answering = middleware_fn(|call, _| {
        let handled = call.answer(3_u32);
        Box::pin(async { handled })
    });
    let mediator = seats.builder().middleware(too_late()).middleware(answering).build().unwrap();
    let error = mediator.send(Reserve(7)).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Rejected, "{error:?}");
    assert_eq!(error.committed(), Committed::No);
}

#[tokio::test]
async fn who_refuses_a_nested_request_lets_it_be_undone() {
    let seats = Seats::default();
    let mediator = seats.with(too_late().only(|info| info.message == "Reserve"));
    let error = mediator.send(ReserveForGroup(7)).await.unwrap_err();
    assert_eq!(error.committed(), Committed::No, "{error:?}");
    assert_eq!(seats.journal.notes(), ["reserve 7", "rollback"]);
    assert_eq!(seats.broker.len(), 0);
}

#[tokio::test]
async fn what_was_not_delivered_cannot_be_refused() {
    let seats = Seats::default();
    seats.broker.refuse(PublishErrorKind::Fatal);
    let error = seats.with(too_late()).send(Reserve(7)).await.unwrap_err();
    let SendError::Undelivered(undelivered) = &error else { panic!("{error:?}") };
    assert_eq!(undelivered.messages()[0].message.name, "SeatTaken");
    assert_eq!(error.into_committed_response::<u32>().unwrap(), 7);
}

#[tokio::test]
async fn another_answer_does_not_lose_what_was_not_delivered() {
    let seats = Seats::default();
    seats.broker.refuse(PublishErrorKind::Fatal);
    let error = seats.with(afterwards(|call| call.answer(8_u32))).send(Reserve(7)).await.unwrap_err();
    let SendError::Undelivered(undelivered) = &error else { panic!("{error:?}") };
    assert_eq!(undelivered.messages().len(), 1);
    assert_eq!(error.into_committed_response::<u32>().unwrap(), 8);
}

#[tokio::test]
async fn an_answer_of_another_type_names_both() {
    let wrong = || afterwards(|call| call.answer("eight"));
    let seats = Seats::default();
    seats.script.fail([SeatError::Taken]);
    let mediator = seats.with(wrong());
    let error = mediator.send(Reserve(7)).await.unwrap_err();
    assert_eq!(error.committed(), Committed::No);
    assert_eq!(error.to_string(), "`late` answered with `&str`, and the response is `u32`");

    let error = mediator.send(Reserve(7)).await.unwrap_err();
    assert_eq!(error.committed(), Committed::Yes, "this time it had succeeded: {error:?}");
    assert_eq!(error.source().unwrap().to_string(), "the middleware answered with `&str`, and the response is `u32`");

    seats.broker.refuse(PublishErrorKind::Fatal);
    let error = mediator.send(Reserve(7)).await.unwrap_err();
    assert_eq!(
        error.into_committed_response::<u32>().unwrap(),
        7,
        "what was not delivered is kept, and the response with it"
    );
}
