//! What several attempts at a message leave behind: for the middleware further out, for the log, and of a copy that does not
//! fit.

use std::sync::{Arc, Mutex};

use diator::broker::{InMemoryBroker, PublishErrorKind};
use diator::middleware::{Answered, Call, Kept, MessageInfo, Middleware, Next, RetryMiddleware, RetryPolicy};
use diator::prelude::*;
use diator::wiring::{Cause, Observer, WiredMessage};
use diator::{Committed, SendErrorKind};
use diator_tests::Log;
use tracing::Level;

use super::seats::{Reserve, ReserveForGroup, Reserved, SeatError, Seats};

/// Tries twice, whatever comes of it, and lets the broker recover in between.
struct Twice(InMemoryBroker);

#[diator::async_trait]
impl Middleware for Twice {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.message == "Reserve"
    }

    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        let kept = call.clone_request().expect("it is idempotent");
        let _first = next.retry(call, &kept).await;
        self.0.accept();
        next.retry(call, &kept).await
    }
}

// --- What the middleware further out sees. ------------------------------------------------------

/// Sees how each reservation failed, and whether it is committed.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(SendErrorKind, Committed)>>>);

#[diator::async_trait]
impl Middleware for Seen {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        let handled = next.run(call).await;
        if let Some(Err(error)) = call.reply::<Reserve>() {
            assert_eq!(call.error_kind(), Some(error.kind()));
            self.0.lock().unwrap().push((error.kind(), error.committed()));
        }
        handled
    }
}

async fn assert_seen(seats: &Seats, retry: impl Middleware, expected: Committed) {
    let seen = Seen::default();
    let mediator = seats.builder().middleware(seen.clone()).middleware(retry).build().unwrap();
    let error = mediator.send(Reserve(1)).await.unwrap_err();
    assert_eq!(error.committed(), expected, "{error:?}");
    assert_eq!(*seen.0.lock().unwrap(), [(error.kind(), error.committed())], "it is not what the sender got");
}

#[tokio::test(start_paused = true)]
async fn who_is_further_out_sees_what_the_sender_gets_after_a_commit_that_is_unknown() {
    let seats = Seats::default();
    *seats.script.lost_commits.lock().unwrap() = 1;
    seats.script.succeed();
    seats.script.fail([SeatError::Taken]);
    let retry = RetryMiddleware::new(RetryPolicy::new().attempts(2)).unwrap();
    assert_seen(&seats, retry, Committed::Unknown).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_further_out_sees_what_the_sender_gets_after_a_success() {
    let seats = Seats::default();
    seats.script.succeed();
    seats.script.fail([SeatError::Taken]);
    assert_seen(&seats, Twice(seats.broker.clone()), Committed::Yes).await;
}

// --- What was not delivered. --------------------------------------------------------------------

#[tokio::test]
async fn what_an_earlier_attempt_did_not_deliver_is_logged_whole() {
    let log = Log::new(Level::ERROR);
    let _logging = tracing::subscriber::set_default(log.clone());
    let seats = Seats::default();
    seats.broker.refuse(PublishErrorKind::Fatal);
    assert_eq!(seats.with(Twice(seats.broker.clone())).send(Reserve(7)).await.unwrap(), 7);

    assert_eq!(seats.broker.len(), 1, "the second attempt has published");
    let lost = log.beginning("ERROR a message has to be delivered again");
    let [lost] = &lost[..] else { panic!("one is lost: {:#?}", log.lines()) };
    assert!(lost.contains("SeatTaken") && lost.contains("body=") && lost.contains(r#"\"seat\":7"#), "{lost}");
}

// --- A copy of another message. -----------------------------------------------------------------

/// Answers the first message itself, and attempts all others with a copy of it.
#[derive(Clone, Default)]
struct Swap {
    kept: Arc<Mutex<Option<Kept>>>,
    /// Whether there was an answer.
    answered: Arc<Mutex<Vec<bool>>>,
}

#[diator::async_trait]
impl Middleware for Swap {
    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        let Some(kept) = self.kept.lock().unwrap().take() else {
            *self.kept.lock().unwrap() = call.clone_request();
            return call.answer(0_u32);
        };
        let handled = next.retry(call, &kept).await;
        let answered = call.reply::<ReserveForGroup>().is_some() || call.error_kind().is_some();
        self.answered.lock().unwrap().push(answered);
        handled
    }
}

/// Which messages a handler ran for.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<Vec<&'static str>>>);

impl Observer for Ran {
    fn ran(&self, handler: Cause) {
        self.0.lock().unwrap().push(handler.message);
    }

    fn caused(&self, _: Cause, _: WiredMessage) {}
}

/// Seats whose next message is attempted with a copy of a reservation.
async fn swapping(seats: &Seats) -> (Mediator, Swap, Ran) {
    let (swap, ran) = (Swap::default(), Ran::default());
    let mediator = seats.builder().middleware(swap.clone()).observe(ran.clone()).build().unwrap();
    assert_eq!(mediator.send(Reserve(1)).await.unwrap(), 0);
    (mediator, swap, ran)
}

#[tokio::test]
async fn a_copy_of_another_message_leaves_nothing_to_handle() {
    let seats = Seats::default();
    let (mediator, swap, ran) = swapping(&seats).await;
    let sent = mediator.send(ReserveForGroup(2)).await;
    let Err(SendError::Rejected { source, .. }) = sent else { panic!("{sent:?}") };
    assert_eq!(source.to_string(), "the message came back without an answer");
    assert_eq!(*swap.answered.lock().unwrap(), [false]);
    assert_eq!((seats.journal.entries(), &*ran.0.lock().unwrap()), (vec![], &vec![]));
}

#[tokio::test]
async fn a_copy_leaves_nothing_of_an_event_to_handle() {
    let seats = Seats::default();
    let (mediator, swap, ran) = swapping(&seats).await;
    let emitted = mediator.emit(Reserved(2)).await;
    assert!(emitted.is_err(), "{emitted:?}");
    assert_eq!(*swap.answered.lock().unwrap(), [false]);
    assert_eq!((seats.journal.entries(), &*ran.0.lock().unwrap()), (vec![], &vec![]));
}
