//! Sees a commit through, and what follows it. What is cut short on the way is told: to the sender, or else to the log.

use std::error::Error;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::{self, JoinHandle};
use tracing::Instrument;
use tracing::field;

use super::Mediator;
use super::after_commit::Delivery;
use crate::broker::OutboundMessage;
use crate::container::{CommitError, CommitOutcome};
use crate::error::{Failure, widen};
use crate::in_flight::{Entered, InFlight};
use crate::undelivered::{DeliveryState, UndeliveredMessage};
use crate::{BoxError, BoxFuture, SendError, shown};

impl Mediator {
    /// Sees a commit through that has begun, or one that has succeeded if there is none to wait for, and delivers.
    ///
    /// A shutdown waits for it, also if the sender goes away meanwhile. A sender that is a task does it itself, and leaves it to another
    /// task when it goes; for one that is no task, and may outlive the runtime, a task does it from the start. Without a tokio runtime
    /// it happens in place, and a sender that goes away cuts it short.
    pub(super) fn see_through(
        &self,
        closing: Option<BoxFuture<'static, Result<(), CommitError>>>,
        delivery: Option<Delivery>,
    ) -> BoxFuture<'static, Result<(), Failure>> {
        let runtime = Handle::try_current().ok();
        // Only a sender that outlives the future has to be told from elsewhere how it was cut short.
        let answer = (runtime.is_some() && task::try_id().is_none()).then(Arc::<Answer>::default);
        let commit = if closing.is_some() { Commit::Running } else { Commit::Succeeded };
        let settling = Settling { commit, delivery, answer: answer.clone() }.run(closing);
        let Some(runtime) = runtime else { return Box::pin(settling) };
        let running = Entered::new(Tasks(self.clone()));
        let seen_through = async move { Report { ended: Some(settling.await), _running: running } }.in_current_span();
        match answer {
            None => Box::pin(InTheSender { runtime, left: Some(Box::pin(seen_through)) }),
            Some(answer) => Box::pin(in_a_task(runtime.spawn(seen_through), answer)),
        }
    }
}

async fn in_a_task(task: JoinHandle<Report>, answer: Arc<Answer>) -> Result<(), Failure> {
    match task.await {
        Ok(report) => report.read(),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => {
                // The sender learns of the panic instead.
                let _unknown = answer.read();
                resume_unwind(panic)
            }
            // The runtime has ended, and the task with it: it was dropped before this is known.
            Err(_) => answer.read(),
        },
    }
}

/// A commit that the task of its sender sees through, and another task once the sender is gone.
///
/// A task of its own from the start would cost up to a sixth of the commits per second: decision 0006.
struct InTheSender {
    runtime: Handle,
    /// `None` once it has ended, and while it is polled: what panicked must not run again.
    left: Option<BoxFuture<'static, Report>>,
}

impl Future for InTheSender {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut left = self.left.take().expect("it is not polled after its end");
        match left.as_mut().poll(cx) {
            Poll::Ready(report) => Poll::Ready(report.read()),
            Poll::Pending => {
                self.left = Some(left);
                Poll::Pending
            }
        }
    }
}

impl Drop for InTheSender {
    fn drop(&mut self) {
        if let Some(left) = self.left.take() {
            // A runtime that has ended drops it at once.
            self.runtime.spawn(left);
        }
    }
}

/// A commit, and what follows it; if it is dropped before its end, it answers what is lost, or logs it where nobody waits.
struct Settling {
    commit: Commit,
    delivery: Option<Delivery>,
    answer: Option<Arc<Answer>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Commit {
    /// It has begun, and nobody knows yet what comes of it.
    Running,
    /// What follows it is not yet done.
    Succeeded,
    /// All is done, or it failed.
    Over,
}

impl Settling {
    async fn run(mut self, closing: Option<BoxFuture<'static, Result<(), CommitError>>>) -> Result<(), Failure> {
        if let Some(closing) = closing {
            let closed = closing.await;
            self.commit = if closed.is_ok() { Commit::Succeeded } else { Commit::Over };
            if let (Err(error), Some(delivery)) = (&closed, &self.delivery) {
                log_if_unknown(error, delivery.messages());
            }
            closed.map_err(uncommitted)?;
        }
        let delivered = match &self.delivery {
            Some(delivery) => delivery.run().await,
            None => Ok(()),
        };
        self.commit = Commit::Over;
        delivered
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        let cut_short = match (self.commit, &self.delivery) {
            (Commit::Over, _) | (Commit::Succeeded, None) => return,
            (Commit::Succeeded, Some(delivery)) => delivery.cut_short(),
            (Commit::Running, delivery) => {
                let error = CommitError::unknown(CutShort);
                log_if_unknown(&error, delivery.as_ref().map_or(&[], Delivery::messages));
                Err(uncommitted(error))
            }
        };
        match (&self.answer, cut_short) {
            (Some(answer), cut_short) => answer.give(cut_short),
            (None, Err(failure)) => log_unread(failure),
            (None, Ok(())) => {}
        }
    }
}

pub(super) fn uncommitted(error: CommitError) -> Failure {
    SendError::Commit { outcome: error.outcome(), source: error.into_source() }.into()
}

/// The commit was dropped before its end.
#[derive(Debug, thiserror::Error)]
#[error("the commit was cut short: its runtime ended, it panicked, or there was no runtime and its sender went away")]
struct CutShort;

/// What came of something that was cut short; if nobody is left to read of a failure, it is logged.
#[derive(Default)]
struct Answer(Mutex<Option<Result<(), Failure>>>);

impl Answer {
    fn give(&self, cut_short: Result<(), Failure>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut_short);
    }

    fn read(&self) -> Result<(), Failure> {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.unwrap_or_else(|| Err(uncommitted(CommitError::unknown(CutShort))))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(Err(failure)) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            log_unread(failure);
        }
    }
}

/// Counts tasks instead of messages.
struct Tasks(Mediator);

impl AsRef<InFlight> for Tasks {
    fn as_ref(&self) -> &InFlight {
        &self.0.0.tasks
    }
}

/// How a task ended; if nobody is left to read of a failure, it is logged.
///
/// The task counts as running until then: a shutdown that was clean has told of every loss.
struct Report {
    ended: Option<Result<(), Failure>>,
    _running: Entered<Tasks>,
}

impl Report {
    fn read(mut self) -> Result<(), Failure> {
        self.ended.take().unwrap_or(Ok(()))
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(Err(failure)) = self.ended.take() {
            log_unread(failure);
        }
    }
}

pub(super) fn log_unread(failure: Failure) {
    let failure = widen::<BoxError>(failure);
    tracing::error!(error = &failure as &dyn Error, "a message failed at or after its commit, and its sender had gone");
    if let SendError::Undelivered(undelivered) = &failure {
        undelivered.messages().iter().for_each(log_undelivered);
    }
}

fn log_undelivered(UndeliveredMessage { message, state }: &UndeliveredMessage) {
    log_message(message, *state, "a message has to be delivered again");
}

/// Where nobody knows whether the unit of work is committed, nobody may publish its messages: the log keeps them.
pub(super) fn log_if_unknown(error: &CommitError, messages: &[OutboundMessage]) {
    if error.outcome() == CommitOutcome::Unknown {
        for message in messages {
            let what = "a message has to be delivered if its unit of work is committed";
            log_message(message, DeliveryState::NotTaken, what);
        }
    }
}

/// Writes a message down whole, so that it can be published again from the log; nothing in it can forge a line there.
fn log_message(message: &OutboundMessage, state: DeliveryState, what: &'static str) {
    tracing::error!(
        target: "diator",
        {
            diator.message = %message.name,
            diator.message_type = message.message_type.as_str(),
            messaging.message.id = %message.id,
            messaging.message.conversation_id = message.correlation_id.map(field::display),
            messaging.destination.name = message.topic.as_deref(),
            diator.causation_id = message.causation_id.map(field::display),
            diator.key = message.key.as_deref().map(shown::json),
            diator.state = state.as_str(),
            traceparent = message.traceparent.as_deref(),
            content_type = %message.content_type,
            headers = ?message.headers,
            body = shown::json(&String::from_utf8_lossy(&message.body)),
        },
        "{what}"
    );
}
