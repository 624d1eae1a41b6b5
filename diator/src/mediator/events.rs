use std::any::{Any, type_name};
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::dispatch::{Run, widen};
use super::soon::Soon;
use crate::event::Decode;
use crate::inject::Inject;
use crate::middleware::{Call, EventExchange, Pipeline};
use crate::registry::HandlerId;
use crate::wiring::Cause;
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

/// One handler of one event.
pub(crate) struct EventEntry {
    pub(super) order: i32,
    pub(super) id: HandlerId,
    pub(super) name: &'static str,
    pub(super) handler: Box<dyn HandleEvent>,
}

/// What came of one handler: its own error, or why it did not run.
// In a box, like what the mediator itself may fail with: a success is then a single word.
pub(crate) type EventResult = Result<(), Box<SendError<BoxError>>>;

/// A handler of an event, their types forgotten.
pub(crate) trait HandleEvent: Send + Sync {
    fn handle<'a>(&'a self, event: &'a (dyn Any + Send + Sync), run: Run<'a>) -> BoxFuture<'a, EventResult>;
}

/// A handler of `E`, and what wraps it.
pub(crate) struct EventTo<E, H> {
    /// Built with the mediator, if all its dependencies are singletons; else it is built for each event.
    pub(super) built: Option<Arc<H>>,
    pub(super) pipeline: Pipeline,
    pub(super) event: PhantomData<fn(E)>,
}

impl<E: Event, H: EventHandler<E> + Inject> HandleEvent for EventTo<E, H> {
    fn handle<'a>(&'a self, event: &'a (dyn Any + Send + Sync), run: Run<'a>) -> BoxFuture<'a, EventResult> {
        // All else that can happen would only make the box larger.
        if let (Some(handler), Some(event), true) = (&self.built, event.downcast_ref(), self.pipeline.is_idle()) {
            let mut cx = EventContext::new(run, Self::cause);
            return Box::pin(async move { handler.handle(event, &mut cx).await.map_err(failed) });
        }
        Box::pin(async move {
            if self.pipeline.is_idle() {
                return self.attempt(event, run).await.map_err(Box::new);
            }
            let meta = run.meta();
            let run = Mutex::new(run);
            let attempt = || async { self.attempt(event, run.lock().await.reborrow()).await };
            let running = pin!(None);
            let mut exchange = EventExchange::new(event, attempt, running);
            let mut call = Call::new(&self.pipeline, meta, None, &mut exchange);
            let _handled = call.first().await;
            call.over();
            exchange.into_reply().map_err(Box::new)
        })
    }
}

fn failed(error: BoxError) -> Box<SendError<BoxError>> {
    Box::new(SendError::Handler(error))
}

impl<E: Event, H: EventHandler<E> + Inject> EventTo<E, H> {
    fn cause() -> Cause {
        Cause::new(type_name::<E>(), Some(type_name::<H>()))
    }

    async fn attempt(&self, event: &(dyn Any + Send + Sync), mut run: Run<'_>) -> Result<(), SendError<BoxError>> {
        let Some(event) = event.downcast_ref::<E>() else {
            let error = format!("the mediator took another event for `{}`", E::NAME);
            return Err(SendError::Handler(error.into()));
        };
        let for_this_event;
        let handler = match self.built.as_deref() {
            Some(built) => built,
            None => {
                let mut slots = H::Slots::default();
                if let Soon::Later(rest) = run.fill(&mut slots, H::DEPENDENCIES, type_name::<H>()) {
                    rest.await.map_err(widen)?;
                }
                for_this_event = H::build(slots);
                &for_this_event
            }
        };
        run.tell_ran(Self::cause);
        handler.handle(event, &mut EventContext::new(run, Self::cause)).await.map_err(SendError::Handler)
    }
}
