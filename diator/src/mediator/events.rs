//! The handlers of events, their types forgotten.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use super::execution::Run;
use super::failure::widen;
use super::handle::{AnyValue, Factory, known};
use super::invocation::Invocation;
use super::maybe_ready::MaybeReady;
use super::route::travel;
use crate::event::Decode;
use crate::middleware::{EventReplied, MessageInfo, Pipeline};
use crate::registry::HandlerId;
use crate::{BoxError, BoxFuture, Event, EventContext, EventHandler, SendError};

/// All handlers of one event.
#[derive(Default)]
pub(crate) struct EventRoute {
    /// Within the unit of work, in their order.
    pub(super) handlers: Vec<EventEntry>,
    /// Once it is committed, in their order.
    pub(super) after_commit: Vec<EventEntry>,
    pub(super) decode: Option<Decode>,
}

impl EventRoute {
    /// Its handlers, those after the commit last.
    pub(super) fn all(&self) -> impl Iterator<Item = &EventEntry> {
        self.handlers.iter().chain(&self.after_commit)
    }
}

/// One handler of one event, and what wraps it.
pub(crate) struct EventEntry {
    pub(super) order: i32,
    pub(super) id: HandlerId,
    pub(super) name: &'static str,
    pub(super) pipeline: Pipeline,
    pub(super) handler: Box<dyn HandleEvent>,
    /// For a handler that is built for each event.
    pub(super) factory: Option<Factory>,
}

/// What came of one handler: its own error, or why it did not run.
// In a box, like what the mediator itself may fail with: a success is then a single word.
pub(crate) type EventResult = Result<(), Box<SendError<BoxError>>>;

impl EventEntry {
    /// Lets the handler handle the event, through its middleware.
    pub(super) fn handle<'a>(&'a self, event: &'a AnyValue, run: Run<'a>) -> BoxFuture<'a, EventResult> {
        match self.pipeline.is_idle() {
            true => self.attempt(event, run),
            false => Box::pin(async move {
                let mut reply: EventReplied = None;
                travel(Invocation::of_event(self, event, &mut reply, run)).await;
                reply.unwrap_or(Ok(())).map_err(Box::new)
            }),
        }
    }

    /// Lets the handler handle the event once.
    pub(super) fn attempt<'a>(&'a self, event: &'a AnyValue, mut run: Run<'a>) -> BoxFuture<'a, EventResult> {
        let Some(factory) = &self.factory else {
            run.tell_ran(|| self.pipeline.info.cause());
            return self.handler.handle(None, event, &self.pipeline.info, run);
        };
        Box::pin(async move {
            let built = match factory.build_for(run.reborrow()) {
                MaybeReady::Ready(built) => built,
                MaybeReady::Pending(rest) => rest.await,
            };
            let handler = built.map_err(|failure| Box::new(widen(failure)))?;
            run.tell_ran(|| self.pipeline.info.cause());
            self.handler.handle(Some(&*handler), event, &self.pipeline.info, run).await
        })
    }
}

/// A handler of an event: what the compiler writes for each.
pub(crate) trait HandleEvent: Send + Sync {
    /// `handler` is one that was built for this event, unless there is one for all.
    fn handle<'a>(
        &'a self,
        handler: Option<&'a AnyValue>,
        event: &'a AnyValue,
        info: &'a MessageInfo,
        run: Run<'a>,
    ) -> BoxFuture<'a, EventResult>;
}

/// Takes in a handler that is built; without one, it is built for each event.
pub(crate) type Attach = fn(Option<Arc<AnyValue>>) -> Box<dyn HandleEvent>;

pub(crate) fn attach<E: Event, H: EventHandler<E>>(built: Option<Arc<AnyValue>>) -> Box<dyn HandleEvent> {
    Box::new(EventTo::<E, H> { built: built.and_then(|built| built.downcast().ok()), event: PhantomData })
}

/// A handler of `E`.
// Kept by its type: to find that out again for each event would cost a tenth of the time.
struct EventTo<E, H> {
    built: Option<Arc<H>>,
    event: PhantomData<fn(E)>,
}

impl<E: Event, H: EventHandler<E>> HandleEvent for EventTo<E, H> {
    fn handle<'a>(
        &'a self,
        handler: Option<&'a AnyValue>,
        event: &'a AnyValue,
        info: &'a MessageInfo,
        run: Run<'a>,
    ) -> BoxFuture<'a, EventResult> {
        let event: &E = known(event.downcast_ref());
        let handler: &H = match &self.built {
            Some(built) => built,
            None => known(handler.and_then(<dyn Any + Send + Sync>::downcast_ref)),
        };
        let mut cx = EventContext::new(run, info);
        Box::pin(async move {
            match handler.handle(event, &mut cx).await {
                Ok(()) => Ok(()),
                Err(error) => Err(failed(error)),
            }
        })
    }
}

fn failed(error: BoxError) -> Box<SendError<BoxError>> {
    Box::new(SendError::Handler(error))
}
