//! A middleware that lets go of `next` while the message commits: the commit goes on, and must not be denied.

use std::time::Duration;

use diator::Committed;
use diator::middleware::{Answered, Call, Middleware, Next};
use tokio::time::timeout;

use super::seats::{Reserve, SeatError, Seats};

const PATIENCE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);

/// What the middleware does when its patience is at an end.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Drops the handling, and refuses the message.
    Refuse,
    /// Forgets the handling, and refuses the message.
    ForgetAndRefuse,
    /// Drops the handling, and answers with a text.
    AnswerWithText,
    /// Forgets the handling, and answers with a text.
    ForgetAndAnswerWithText,
    /// Drops the handling, and tries once more.
    TryAgain,
    /// Forgets the handling, and tries once more.
    ForgetAndTryAgain,
}

struct Hasty(Manner);

#[diator::async_trait]
impl Middleware for Hasty {
    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        use Manner::{AnswerWithText, ForgetAndAnswerWithText, ForgetAndRefuse, ForgetAndTryAgain, Refuse, TryAgain};
        let Some(kept) = call.clone_request() else { return next.run(call).await };
        let mut handling = Box::pin(next.retry(call, &kept));
        let handled = timeout(PATIENCE, handling.as_mut()).await;
        match self.0 {
            Refuse | AnswerWithText | TryAgain => drop(handling),
            ForgetAndRefuse | ForgetAndAnswerWithText | ForgetAndTryAgain => std::mem::forget(handling),
        }
        match (handled, self.0) {
            (Ok(handled), _) => handled,
            (_, Refuse | ForgetAndRefuse) => call.reject("there is no time for it"),
            (_, AnswerWithText | ForgetAndAnswerWithText) => call.answer("a text"),
            (_, TryAgain | ForgetAndTryAgain) => next.retry(call, &kept).await,
        }
    }
}

/// What is said of a message whose commit takes longer than the middleware waits, and then happens.
async fn assert_not_denied(manner: Manner) {
    let seats = Seats::default();
    *seats.script.committing.lock().unwrap() = PATIENCE * 2;
    seats.script.succeed();
    seats.script.fail([SeatError::Taken]);
    let mediator = seats.with(Hasty(manner));
    let error = mediator.send(Reserve(1)).await.unwrap_err();
    assert!(mediator.shutdown(LONG).await.is_clean());
    assert!(seats.journal.notes().contains(&"commit".to_owned()), "the commit goes on");
    assert_eq!(seats.broker.len(), 1, "what follows the commit goes on");
    assert_ne!(error.committed(), Committed::No, "a commit that happened is denied: {error:?}");
}

/// Of an error that is not committed, nothing that the message did was kept.
#[tokio::test(start_paused = true)]
async fn a_middleware_drops_it_and_refuses_the_message() {
    assert_not_denied(Manner::Refuse).await;
}

#[tokio::test(start_paused = true)]
async fn a_middleware_forgets_it_and_refuses_the_message() {
    assert_not_denied(Manner::ForgetAndRefuse).await;
}

#[tokio::test(start_paused = true)]
async fn a_middleware_drops_it_and_answers_with_another_type() {
    assert_not_denied(Manner::AnswerWithText).await;
}

#[tokio::test(start_paused = true)]
async fn a_middleware_forgets_it_and_answers_with_another_type() {
    assert_not_denied(Manner::ForgetAndAnswerWithText).await;
}

#[tokio::test(start_paused = true)]
async fn a_middleware_drops_it_and_a_second_attempt_fails() {
    assert_not_denied(Manner::TryAgain).await;
}

/// The commit is over, and the broker takes its time.
#[tokio::test(start_paused = true)]
async fn a_middleware_drops_what_follows_it_and_refuses_the_message() {
    let seats = Seats::default();
    seats.broker.hang();
    let mediator = seats.with(Hasty(Manner::Refuse));
    let error = mediator.send(Reserve(1)).await.unwrap_err();
    seats.broker.accept();
    assert!(mediator.shutdown(LONG).await.is_clean());
    assert_eq!(seats.broker.len(), 1, "what follows the commit goes on");
    assert_ne!(error.committed(), Committed::No, "a commit that happened is denied: {error:?}");
}

// --- What may be said. --------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn before_the_commit_begins_it_is_denied() {
    for manner in [Manner::Refuse, Manner::AnswerWithText] {
        let seats = Seats::default();
        *seats.script.handling.lock().unwrap() = LONG;
        let error = seats.with(Hasty(manner)).send(Reserve(1)).await.unwrap_err();
        assert_eq!(error.committed(), Committed::No, "{manner:?}: {error:?}");
        assert_eq!(seats.journal.notes(), ["reserve 1", "rollback"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_is_not_affirmed() {
    let seats = Seats::default();
    *seats.script.committing.lock().unwrap() = PATIENCE * 2;
    *seats.script.bad_commits.lock().unwrap() = 1;
    let error = seats.with(Hasty(Manner::Refuse)).send(Reserve(1)).await.unwrap_err();
    assert_ne!(error.committed(), Committed::Yes, "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_that_succeeds_is_the_answer() {
    let seats = Seats::default();
    *seats.script.committing.lock().unwrap() = PATIENCE * 2;
    let mediator = seats.with(Hasty(Manner::TryAgain));
    assert_eq!(mediator.send(Reserve(1)).await.unwrap(), 1);
    assert!(mediator.shutdown(LONG).await.is_clean());
    assert_eq!(seats.journal.notes().iter().filter(|note| *note == "commit").count(), 2);
}

/// Whether what was forgotten is waited for, or followed by a second attempt, which fails.
#[tokio::test(start_paused = true)]
async fn what_was_forgotten_is_not_denied_by_a_second_attempt() {
    let seats = Seats::default();
    *seats.script.committing.lock().unwrap() = PATIENCE * 2;
    seats.script.succeed();
    seats.script.fail([SeatError::Taken]);
    let mediator = seats.with(Hasty(Manner::ForgetAndTryAgain));
    let sent = mediator.send(Reserve(1)).await;
    assert!(mediator.shutdown(LONG).await.is_clean());
    assert!(seats.journal.notes().contains(&"commit".to_owned()), "the commit goes on");
    assert_ne!(sent.as_ref().map_err(diator::SendError::committed), Err(Committed::No), "{sent:?}");
}
