//! The handlers of events, their types forgotten.

use std::marker::PhantomData;
use std::sync::Arc;

use super::execution::Execution;
use super::failure::{Failure, widen};
use super::handle::{AnyValue, Factory, mixed_up};
use super::invocation::Invocation;
use super::route::travel;
use crate::event::Decode;
use crate::middleware::{Call, EventReplied, MessageInfo, Pipeline};
use crate::registry::HandlerId;
use crate::{BoxError, BoxFuture, Event, EventContext, EventHandler, SendError};

/// All handlers of one event.
#[derive(Default)]
pub(crate) struct EventHandlers {
    /// Within the unit of work, in their order.
    pub(crate) handlers: Vec<EventEntry>,
    /// Once it is committed, in their order.
    pub(crate) after_commit: Vec<EventEntry>,
    pub(crate) decode: Option<Decode>,
}

impl EventHandlers {
    /// Its handlers, those after the commit last.
    pub(crate) fn all(&self) -> impl Iterator<Item = &EventEntry> {
        self.handlers.iter().chain(&self.after_commit)
    }
}

/// One handler of one event, and what wraps it.
pub(crate) struct EventEntry {
    pub(crate) order: i32,
    pub(crate) id: HandlerId,
    pub(crate) name: &'static str,
    pub(crate) pipeline: Pipeline,
    pub(crate) handler: Box<dyn HandleEvent>,
    /// For a handler that is built for each event.
    pub(crate) factory: Option<Factory>,
}

/// What came of one handler: its own error, or why it did not run.
// In a box, like what the mediator itself may fail with: a success is then a single word.
pub(crate) type EventResult = Result<(), Box<SendError<BoxError>>>;

impl EventEntry {
    /// Lets the handler handle the event, through its middleware.
    #[inline(always)]
    pub(crate) fn handle<'a>(&'a self, event: &'a AnyValue, execution: Execution<'a>) -> BoxFuture<'a, EventResult> {
        match self.factory.is_none() && self.pipeline.is_idle() {
            true => self.start(event, execution),
            false => self.handle_in_time(event, execution),
        }
    }

    #[inline(never)]
    fn handle_in_time<'a>(&'a self, event: &'a AnyValue, execution: Execution<'a>) -> BoxFuture<'a, EventResult> {
        if self.pipeline.is_idle() { self.attempt(event, execution) } else { Box::pin(self.travel(event, execution)) }
    }

    /// Its failure, as one of the message that emitted the event.
    #[cold]
    pub(crate) fn failed(&self, event: &'static str, error: SendError<BoxError>) -> Failure {
        let source = match error {
            SendError::Handler(source) => source,
            other => other.into(),
        };
        SendError::Event { event, handler: self.name, source }.into()
    }

    async fn travel(&self, event: &AnyValue, execution: Execution<'_>) -> EventResult {
        let mut reply: EventReplied = None;
        let mut call = Call::new(Invocation::of_event(self, event, &mut reply, execution));
        travel(&mut call).await;
        drop(call);
        reply.unwrap_or(Ok(())).map_err(Box::new)
    }

    /// Lets the handler handle the event once.
    pub(crate) fn attempt<'a>(&'a self, event: &'a AnyValue, execution: Execution<'a>) -> BoxFuture<'a, EventResult> {
        match &self.factory {
            None => self.start(event, execution),
            Some(factory) => Box::pin(self.build_and_start(factory, event, execution)),
        }
    }

    async fn build_and_start(&self, factory: &Factory, event: &AnyValue, mut execution: Execution<'_>) -> EventResult {
        let built = factory.build_for(execution.reborrow()).get().await.map_err(|failure| Box::new(widen(failure)))?;
        execution.tell_ran(|| self.pipeline.info.cause());
        self.handler.handle_by(&*built, event, &self.pipeline.info, execution).await
    }

    #[inline(always)]
    fn start<'a>(&'a self, event: &'a AnyValue, execution: Execution<'a>) -> BoxFuture<'a, EventResult> {
        execution.tell_ran(|| self.pipeline.info.cause());
        self.handler.handle(event, &self.pipeline.info, execution)
    }
}

/// A handler of an event: what the compiler writes for each.
pub(crate) trait HandleEvent: Send + Sync {
    /// By the one that was built with the mediator.
    // Six words, which go in registers.
    fn handle<'a>(
        &'a self,
        event: &'a AnyValue,
        info: &'a MessageInfo,
        execution: Execution<'a>,
    ) -> BoxFuture<'a, EventResult>;

    /// By one that was built for this event.
    fn handle_by<'a>(
        &'a self,
        handler: &'a AnyValue,
        event: &'a AnyValue,
        info: &'a MessageInfo,
        execution: Execution<'a>,
    ) -> BoxFuture<'a, EventResult>;
}

/// Takes in a handler that is built; without one, it is built for each event.
pub(crate) type Attach = fn(Option<Arc<AnyValue>>) -> Box<dyn HandleEvent>;

pub(crate) fn attach<E: Event, H: EventHandler<E>>(built: Option<Arc<AnyValue>>) -> Box<dyn HandleEvent> {
    Box::new(EventTo::<E, H> { built: built.and_then(|built| built.downcast().ok()), event: PhantomData })
}

/// A handler of `E`.
// Kept by its type: else each event would ask for it again.
struct EventTo<E, H> {
    built: Option<Arc<H>>,
    event: PhantomData<fn(E)>,
}

impl<E: Event, H: EventHandler<E>> HandleEvent for EventTo<E, H> {
    fn handle<'a>(
        &'a self,
        event: &'a AnyValue,
        info: &'a MessageInfo,
        execution: Execution<'a>,
    ) -> BoxFuture<'a, EventResult> {
        match &self.built {
            Some(handler) => begin::<E, H>(handler, event, info, execution),
            None => mixed_up(),
        }
    }

    fn handle_by<'a>(
        &'a self,
        handler: &'a AnyValue,
        event: &'a AnyValue,
        info: &'a MessageInfo,
        execution: Execution<'a>,
    ) -> BoxFuture<'a, EventResult> {
        match handler.downcast_ref() {
            Some(handler) => begin::<E, H>(handler, event, info, execution),
            None => mixed_up(),
        }
    }
}

fn begin<'a, E: Event, H: EventHandler<E>>(
    handler: &'a H,
    event: &'a AnyValue,
    info: &'a MessageInfo,
    execution: Execution<'a>,
) -> BoxFuture<'a, EventResult> {
    let Some(event) = event.downcast_ref::<E>() else { mixed_up() };
    let mut cx = EventContext::new(execution, info);
    Box::pin(async move {
        match handler.handle(event, &mut cx).await {
            Ok(()) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    })
}

fn failed(error: BoxError) -> Box<SendError<BoxError>> {
    Box::new(SendError::Handler(error))
}
