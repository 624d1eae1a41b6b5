use std::any::{Any, type_name};
use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::{BoxError, Request, SendError, SendErrorKind};

/// A message and its handling, with their types forgotten.
///
/// All of it lives in one frame, so that a pipeline allocates nothing but its middlewares' futures.
// Not `Send` itself: where it must be, `dyn Exchange + Send` says so. To prove it of an exchange whose handling is a
// future costs the compiler much, and it would do so for each handler.
pub(crate) trait Exchange {
    fn message(&self) -> Option<&dyn Any>;
    fn message_mut(&mut self) -> Option<&mut dyn Any>;
    fn reply(&self) -> &dyn Reply;
    fn reply_mut(&mut self) -> &mut dyn Reply;
    fn keep(&self) -> Option<Box<dyn Any + Send>>;
    fn restore(&mut self, kept: &(dyn Any + Send));
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    fn cancel(&mut self);
    /// Whether the handling came to a good end, in any attempt and whatever middleware made of it.
    fn has_succeeded(&self) -> bool;
}

/// What came of a message, if it is answered: all that does not depend on the message's own type, so that it is compiled
/// once for the messages that are answered alike.
pub(crate) trait Reply {
    fn get(&self) -> Option<&dyn Any>;
    fn error(&self) -> Option<&(dyn Error + 'static)>;
    fn error_kind(&self) -> Option<SendErrorKind>;
    /// `answer` is an `Option` of the response, or of the type that is `given`.
    fn answer(&mut self, middleware: &'static str, answer: &mut dyn Any, given: &'static str, committed: bool);
    fn reject(&mut self, middleware: &'static str, source: BoxError, committed: bool);
}

impl<T: Send + 'static, E: Debug + Display + 'static> Reply for Option<Result<T, SendError<E>>> {
    fn get(&self) -> Option<&dyn Any> {
        self.as_ref().map(|reply| reply as _)
    }

    fn error(&self) -> Option<&(dyn Error + 'static)> {
        self.as_ref()?.as_ref().err().map(|error| error as _)
    }

    fn error_kind(&self) -> Option<SendErrorKind> {
        self.as_ref()?.as_ref().err().map(SendError::kind)
    }

    fn answer(&mut self, middleware: &'static str, answer: &mut dyn Any, given: &'static str, committed: bool) {
        let expected = type_name::<T>();
        *self = Some(match (answer.downcast_mut::<Option<T>>().and_then(Option::take), self.take()) {
            // What was not delivered must not get lost.
            (Some(answer), Some(Err(SendError::Undelivered(undelivered)))) => {
                Err(SendError::Undelivered(undelivered.with_response(answer)))
            }
            (Some(answer), _) => Ok(answer),
            (None, Some(Err(error))) if error.may_be_committed() => Err(error),
            (None, _) if committed => {
                let source = format!("it answered with `{given}`, and the response is `{expected}`").into();
                Err(SendError::RejectedAfterCommit { middleware, source })
            }
            (None, _) => Err(SendError::WrongAnswer { middleware, expected, given }),
        });
    }

    fn reject(&mut self, middleware: &'static str, source: BoxError, committed: bool) {
        if let Some(Err(error)) = self
            && error.may_be_committed()
        {
            let (reason, kept) = (&*source as &dyn Error, error as &dyn Error);
            tracing::warn!(target: "diator", middleware, reason, kept, "what may be committed cannot be refused");
            return;
        }
        *self = Some(Err(match committed {
            true => SendError::RejectedAfterCommit { middleware, source },
            false => SendError::Rejected { middleware, source },
        }));
    }
}

/// What cannot be: whatever comes out of a pipeline was answered.
fn unanswered<E>() -> SendError<E> {
    SendError::Rejected { middleware: "", source: "the message was not sent".into() }
}

/// A request; `attempt` is what the innermost `next` runs, with `context`.
pub(crate) struct RequestExchange<'p, R: Request, C, A, F> {
    request: Option<R>,
    reply: Option<Result<R::Response, SendError<R::Error>>>,
    context: C,
    attempt: A,
    running: Pin<&'p mut Option<F>>,
    succeeded: bool,
}

impl<'p, R: Request, C, A, F> RequestExchange<'p, R, C, A, F>
where
    A: Fn(C, R) -> F,
{
    pub(crate) fn new(request: R, context: C, attempt: A, running: Pin<&'p mut Option<F>>) -> Self {
        Self { request: Some(request), reply: None, context, attempt, running, succeeded: false }
    }

    pub(crate) fn into_reply(self) -> Result<R::Response, SendError<R::Error>> {
        // Each variant on its own: to move a whole reply costs more than to tell which it is.
        match self.reply {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) => Err(error),
            None => Err(unanswered()),
        }
    }
}

impl<R, C, A, F> Exchange for RequestExchange<'_, R, C, A, F>
where
    R: Request,
    C: Copy,
    A: Fn(C, R) -> F,
    F: Future<Output = Result<R::Response, SendError<R::Error>>>,
{
    // Matches instead of closures, because this is compiled again for each handler.
    fn message(&self) -> Option<&dyn Any> {
        match &self.request {
            Some(request) => Some(request),
            None => None,
        }
    }

    fn message_mut(&mut self) -> Option<&mut dyn Any> {
        match &mut self.request {
            Some(request) => Some(request),
            None => None,
        }
    }

    fn reply(&self) -> &dyn Reply {
        &self.reply
    }

    fn reply_mut(&mut self) -> &mut dyn Reply {
        &mut self.reply
    }

    fn keep(&self) -> Option<Box<dyn Any + Send>> {
        match &self.request {
            Some(request) => match request.keep() {
                Some(kept) => Some(Box::new(kept)),
                None => None,
            },
            None => None,
        }
    }

    fn restore(&mut self, kept: &(dyn Any + Send)) {
        self.reply = None;
        // Something of another type was kept from another message: then there is nothing to run.
        self.request = match kept.downcast_ref::<R>() {
            Some(kept) => kept.keep(),
            None => None,
        };
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.running.is_none() {
            let Some(request) = self.request.take() else { return Poll::Ready(()) };
            self.running.set(Some((self.attempt)(self.context, request)));
        }
        if let Some(running) = self.running.as_mut().as_pin_mut() {
            self.reply = match ready!(running.poll(cx)) {
                Ok(response) => {
                    self.succeeded = true;
                    Some(Ok(response))
                }
                Err(error) => Some(Err(error)),
            };
            self.running.set(None);
        }
        Poll::Ready(())
    }

    fn cancel(&mut self) {
        // Mostly there is nothing to drop, which takes as long as to drop it.
        if self.running.is_some() {
            self.running.set(None);
        }
    }

    fn has_succeeded(&self) -> bool {
        self.succeeded
    }
}

/// An event; `attempt` is what the innermost `next` runs.
pub(crate) struct EventExchange<'p, 'e, A, F> {
    event: &'e (dyn Any + Send + Sync),
    reply: Option<Result<(), SendError<BoxError>>>,
    attempt: A,
    running: Pin<&'p mut Option<F>>,
}

impl<'p, 'e, A, F> EventExchange<'p, 'e, A, F> {
    pub(crate) fn new(event: &'e (dyn Any + Send + Sync), attempt: A, running: Pin<&'p mut Option<F>>) -> Self {
        Self { event, reply: None, attempt, running }
    }

    pub(crate) fn into_reply(self) -> Result<(), SendError<BoxError>> {
        self.reply.unwrap_or_else(|| Err(unanswered()))
    }
}

impl<A, F> Exchange for EventExchange<'_, '_, A, F>
where
    A: Fn() -> F,
    F: Future<Output = Result<(), SendError<BoxError>>>,
{
    fn message(&self) -> Option<&dyn Any> {
        Some(self.event)
    }

    fn message_mut(&mut self) -> Option<&mut dyn Any> {
        None
    }

    fn reply(&self) -> &dyn Reply {
        &self.reply
    }

    fn reply_mut(&mut self) -> &mut dyn Reply {
        &mut self.reply
    }

    fn keep(&self) -> Option<Box<dyn Any + Send>> {
        None
    }

    fn restore(&mut self, _kept: &(dyn Any + Send)) {}

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.running.is_none() {
            self.running.set(Some((self.attempt)()));
        }
        if let Some(running) = self.running.as_mut().as_pin_mut() {
            self.reply = Some(ready!(running.poll(cx)));
            self.running.set(None);
        }
        Poll::Ready(())
    }

    fn cancel(&mut self) {
        if self.running.is_some() {
            self.running.set(None);
        }
    }

    fn has_succeeded(&self) -> bool {
        // Its unit of work is another message's.
        false
    }
}
