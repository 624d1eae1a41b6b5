//! The handlers of events, their types forgotten.

use super::build_handler::Factory;
use super::execution::Execution;
use super::invocation::Invocation;
use super::route::travel;
use crate::error::{Failure, widen};
use crate::event::Decode;
use crate::handler::{AnyValue, EventReplied, EventResult, HandleEvent};
use crate::middleware::{Call, Pipeline};
use crate::registry::HandlerId;
use crate::{BoxError, BoxFuture, SendError};

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
    /// Whether it is built, nothing wraps it, and nobody observes it: one question instead of three.
    pub(crate) direct: bool,
    pub(crate) order: i32,
    pub(crate) id: HandlerId,
    pub(crate) name: &'static str,
    pub(crate) pipeline: Pipeline,
    pub(crate) handler: Box<dyn HandleEvent>,
    /// For a handler that is built for each event.
    pub(crate) factory: Option<Factory>,
}

impl EventEntry {
    /// Lets the handler handle the event, through its middleware.
    #[inline(always)]
    pub(crate) fn handle<'a>(
        &'a self,
        event: &'a AnyValue,
        execution: &'a mut Execution<'_>,
    ) -> BoxFuture<'a, EventResult> {
        match self.direct {
            true => self.handler.handle(event, &self.pipeline.info, execution),
            false => self.handle_in_time(event, execution),
        }
    }

    #[inline(never)]
    fn handle_in_time<'a>(
        &'a self,
        event: &'a AnyValue,
        execution: &'a mut Execution<'_>,
    ) -> BoxFuture<'a, EventResult> {
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

    async fn travel(&self, event: &AnyValue, execution: &mut Execution<'_>) -> EventResult {
        let mut reply: EventReplied = None;
        let mut call = Call::new(Invocation::of_event(self, event, &mut reply, execution.reborrow()));
        travel(&mut call).await;
        drop(call);
        reply.unwrap_or(Ok(())).map_err(Box::new)
    }

    /// Lets the handler handle the event once.
    pub(crate) fn attempt<'a>(
        &'a self,
        event: &'a AnyValue,
        execution: &'a mut Execution<'_>,
    ) -> BoxFuture<'a, EventResult> {
        match &self.factory {
            None => self.start(event, execution),
            Some(factory) => Box::pin(self.build_and_start(factory, event, execution)),
        }
    }

    async fn build_and_start(&self, factory: &Factory, event: &AnyValue, execution: &mut Execution<'_>) -> EventResult {
        let built = factory.build_for(execution).get().await.map_err(|failure| Box::new(widen(failure)))?;
        execution.tell_ran(|| self.pipeline.info.cause());
        self.handler.handle_by(&*built, event, &self.pipeline.info, execution).await
    }

    #[inline(always)]
    fn start<'a>(&'a self, event: &'a AnyValue, execution: &'a mut Execution<'_>) -> BoxFuture<'a, EventResult> {
        execution.tell_ran(|| self.pipeline.info.cause());
        self.handler.handle(event, &self.pipeline.info, execution)
    }
}
