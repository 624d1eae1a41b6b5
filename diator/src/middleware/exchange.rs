use std::any::{Any, type_name};
use std::error::Error;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use super::{Call, Committing, Next, Pipeline};
use crate::{BoxError, Meta, Request, SendError, SendErrorKind};

/// A message, its handling and its reply, with their types forgotten.
///
/// All of it lives in one frame, so that a pipeline allocates nothing but its middlewares' futures.
pub(super) trait Exchange: Send {
    fn message(&self) -> Option<&dyn Any>;
    fn message_mut(&mut self) -> Option<&mut dyn Any>;
    fn reply(&self) -> Option<&dyn Any>;
    fn error(&self) -> Option<&(dyn Error + 'static)>;
    fn error_kind(&self) -> Option<SendErrorKind>;
    /// `answer` is an `Option` of the response.
    fn answer(&mut self, middleware: &'static str, answer: &mut dyn Any);
    fn reject(&mut self, middleware: &'static str, source: BoxError);
    fn keep(&self) -> Option<Box<dyn Any + Send>>;
    fn restore(&mut self, kept: &(dyn Any + Send));
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    fn cancel(&mut self);
}

/// Sends a request through the pipeline; `attempt` is what the innermost `next` runs, and `committing` says how far it got,
/// if a commit belongs to it.
pub(crate) async fn send_through<R, A, F>(
    pipeline: &Pipeline,
    meta: &Meta,
    committing: Option<&Committing>,
    request: R,
    attempt: A,
) -> Result<R::Response, SendError<R::Error>>
where
    R: Request,
    A: Fn(R) -> F + Send,
    F: Future<Output = Result<R::Response, SendError<R::Error>>> + Send,
{
    let running = pin!(None);
    let mut exchange = RequestExchange { request: Some(request), reply: None, attempt, running };
    run(pipeline, meta, committing, &mut exchange).await;
    exchange.reply.unwrap_or_else(|| Err(unanswered(pipeline)))
}

/// Lets an event be handled through the pipeline; `attempt` is what the innermost `next` runs.
pub(crate) async fn handle_through<A, F>(
    pipeline: &Pipeline,
    meta: &Meta,
    event: &(dyn Any + Send + Sync),
    attempt: A,
) -> Result<(), SendError<BoxError>>
where
    A: Fn() -> F + Send,
    F: Future<Output = Result<(), SendError<BoxError>>> + Send,
{
    let running = pin!(None);
    let mut exchange = EventExchange { event, reply: None, attempt, running };
    run(pipeline, meta, None, &mut exchange).await;
    exchange.reply.unwrap_or_else(|| Err(unanswered(pipeline)))
}

async fn run(pipeline: &Pipeline, meta: &Meta, committing: Option<&Committing>, exchange: &mut dyn Exchange) {
    let mut call = Call { info: &pipeline.info, meta, committing, exchange, middleware: "" };
    let _handled = Next { rest: &pipeline.layers }.run(&mut call).await;
}

/// A middleware that hands out the proof of another message has not answered this one.
fn unanswered<E>(pipeline: &Pipeline) -> SendError<E> {
    let middleware = pipeline.layers.first().map_or("", |layer| layer.name);
    SendError::Rejected { middleware, source: "the message came back without an answer".into() }
}

struct RequestExchange<'p, R: Request, A, F> {
    request: Option<R>,
    reply: Option<Result<R::Response, SendError<R::Error>>>,
    attempt: A,
    running: Pin<&'p mut Option<F>>,
}

impl<R, A, F> Exchange for RequestExchange<'_, R, A, F>
where
    R: Request,
    A: Fn(R) -> F + Send,
    F: Future<Output = Result<R::Response, SendError<R::Error>>> + Send,
{
    fn message(&self) -> Option<&dyn Any> {
        self.request.as_ref().map(|request| request as _)
    }

    fn message_mut(&mut self) -> Option<&mut dyn Any> {
        self.request.as_mut().map(|request| request as _)
    }

    fn reply(&self) -> Option<&dyn Any> {
        self.reply.as_ref().map(|reply| reply as _)
    }

    fn error(&self) -> Option<&(dyn Error + 'static)> {
        self.reply.as_ref()?.as_ref().err().map(|error| error as _)
    }

    fn error_kind(&self) -> Option<SendErrorKind> {
        self.reply.as_ref()?.as_ref().err().map(SendError::kind)
    }

    fn answer(&mut self, middleware: &'static str, answer: &mut dyn Any) {
        let answer = answer.downcast_mut::<Option<R::Response>>().and_then(Option::take);
        self.reply = Some(answer.ok_or(SendError::WrongAnswer { middleware, expected: type_name::<R::Response>() }));
    }

    fn reject(&mut self, middleware: &'static str, source: BoxError) {
        self.reply = Some(Err(SendError::Rejected { middleware, source }));
    }

    fn keep(&self) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(self.request.as_ref()?.keep()?))
    }

    fn restore(&mut self, kept: &(dyn Any + Send)) {
        self.reply = None;
        // Something of another type was kept from another message: then there is nothing to run.
        self.request = kept.downcast_ref::<R>().and_then(Request::keep);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.running.is_none() {
            let Some(request) = self.request.take() else { return Poll::Ready(()) };
            self.running.set(Some((self.attempt)(request)));
        }
        if let Some(running) = self.running.as_mut().as_pin_mut() {
            self.reply = Some(ready!(running.poll(cx)));
            self.running.set(None);
        }
        Poll::Ready(())
    }

    fn cancel(&mut self) {
        self.running.set(None);
    }
}

struct EventExchange<'p, 'e, A, F> {
    event: &'e (dyn Any + Send + Sync),
    reply: Option<Result<(), SendError<BoxError>>>,
    attempt: A,
    running: Pin<&'p mut Option<F>>,
}

impl<A, F> Exchange for EventExchange<'_, '_, A, F>
where
    A: Fn() -> F + Send,
    F: Future<Output = Result<(), SendError<BoxError>>> + Send,
{
    fn message(&self) -> Option<&dyn Any> {
        Some(self.event)
    }

    fn message_mut(&mut self) -> Option<&mut dyn Any> {
        None
    }

    fn reply(&self) -> Option<&dyn Any> {
        self.reply.as_ref().map(|reply| reply as _)
    }

    fn error(&self) -> Option<&(dyn Error + 'static)> {
        self.reply.as_ref()?.as_ref().err().map(|error| error as _)
    }

    fn error_kind(&self) -> Option<SendErrorKind> {
        self.reply.as_ref()?.as_ref().err().map(SendError::kind)
    }

    fn answer(&mut self, middleware: &'static str, answer: &mut dyn Any) {
        self.reply = Some(match answer.is::<Option<()>>() {
            true => Ok(()),
            false => Err(SendError::WrongAnswer { middleware, expected: "()" }),
        });
    }

    fn reject(&mut self, middleware: &'static str, source: BoxError) {
        self.reply = Some(Err(SendError::Rejected { middleware, source }));
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
        self.running.set(None);
    }
}
