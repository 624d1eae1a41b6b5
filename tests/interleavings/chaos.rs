//! A middleware that drops, forgets, repeats, refuses and answers as it pleases.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use diator::SendErrorKind;
use diator::middleware::{Answered, Call, Kept, Middleware, Next};

use super::database::{Database, Id};
use super::script::{Conducting, Follow, Happened, Writing, poll_up_to};

pub(crate) struct Chaos(pub(crate) Database);

#[diator::async_trait]
impl Middleware for Chaos {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        match call.clone_request() {
            Some(kept) => self.request(call, next, kept).await,
            None if call.info().handler == std::any::type_name::<Follow>() => next.run(call).await,
            None => self.event(call, next).await,
        }
    }
}

impl Chaos {
    async fn event(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        let Self(database) = self;
        let id = call.message::<Happened>().map(|event| event.id);
        let patient = !database.random().chance(25);
        let polls = if patient { usize::MAX } else { database.random().below(4) };
        let mut handling = Box::pin(next.run(call));
        if let Some(handled) = poll_up_to(polls, &mut handling).await {
            return handled;
        }
        self.give_up(handling);
        if database.random().chance(50) {
            return call.reject("the event is given up");
        }
        database.log(format!("event {id:?} is skipped"));
        database.record().skipped.extend(id);
        call.answer(())
    }

    async fn request(&self, call: &mut Call<'_>, mut next: Next<'_>, kept: Kept) -> Answered {
        let Self(database) = self;
        let mut attempts = 1 + database.random().below(3);
        loop {
            attempts -= 1;
            let handled = self.attempt(Box::pin(next.retry(call, &kept))).await;
            let succeeded = handled.is_some() && call.error().is_none();
            let mood = database.random().below(10);
            database.log(format!("{}: {succeeded}, {:?}; mood {mood}", call.info().message, call.error_kind()));
            match (handled, mood) {
                (_, 0) => return call.reject("chaos"),
                (_, 1) => return call.answer("an answer of another type"),
                (Some(_), 2) if succeeded => {
                    let run = run_of(call);
                    return call.answer(run);
                }
                // Its handler may have succeeded, and an answer would keep a run that nobody was told of.
                (Some(handled), 2) if is_refusal(call.error_kind()) => return handled,
                (_, 2) => return call.answer(0_u32),
                (_, 3..=5) if attempts > 0 => {}
                (Some(handled), _) if succeeded || attempts == 0 => return handled,
                (None, _) if attempts == 0 => return call.reject("it is given up"),
                _ => {}
            }
        }
    }

    /// `None` if it is given up, or panics.
    async fn attempt(&self, mut handling: impl Future<Output = Answered> + Unpin) -> Option<Answered> {
        let Self(database) = self;
        let polls = if database.random().chance(40) { 1 + database.random().below(40) } else { usize::MAX };
        let polled = catch(poll_up_to(polls, &mut handling)).await;
        if let Some(None) = polled {
            self.give_up(handling);
        }
        polled.flatten()
    }

    fn give_up<T>(&self, future: T) {
        let Self(database) = self;
        let forgets = database.conditions.forgets && database.random().chance(40);
        database.log(format!("a middleware gives up: forgets {forgets}"));
        if forgets {
            database.record().forgot = true;
            std::mem::forget(future);
        }
    }
}

fn is_refusal(kind: Option<SendErrorKind>) -> bool {
    matches!(kind, Some(SendErrorKind::Rejected | SendErrorKind::WrongAnswer | SendErrorKind::RejectedAfterCommit))
}

/// The run that succeeded.
fn run_of(call: &Call<'_>) -> Id {
    let writing = call.reply::<Writing>().and_then(|reply| reply.as_ref().ok());
    let conducting = call.reply::<Conducting>().and_then(|reply| reply.as_ref().ok());
    *writing.or(conducting).expect("it is a request that succeeded")
}

/// `None` if the future panics.
pub(crate) async fn catch<F: Future>(future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}
