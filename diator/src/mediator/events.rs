//! The handlers of events, their types forgotten.

use std::any::type_name;
use std::marker::PhantomData;
use std::sync::Arc;

use super::execution::Run;
use super::failure::widen;
use super::handle::AnyValue;
use super::invocation::Invocation;
use super::maybe_ready::MaybeReady;
use super::route::travel;
use crate::event::Decode;
use crate::inject::Inject;
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
}

/// What came of one handler: its own error, or why it did not run.
// In a box, like what the mediator itself may fail with: a success is then a single word.
pub(crate) type EventResult = Result<(), Box<SendError<BoxError>>>;

impl EventEntry {
    pub(super) fn handle<'a>(&'a self, event: &'a AnyValue, run: Run<'a>) -> BoxFuture<'a, EventResult> {
        if self.pipeline.is_idle() {
            return self.handler.handle(event, &self.pipeline.info, run);
        }
        Box::pin(async move {
            let mut reply: EventReplied = None;
            travel(Invocation::of_event(&self.pipeline, &*self.handler, event, &mut reply, run)).await;
            reply.unwrap_or(Ok(())).map_err(Box::new)
        })
    }
}

/// A handler of an event: what the compiler writes for each.
pub(crate) trait HandleEvent: Send + Sync {
    fn handle<'a>(&'a self, event: &'a AnyValue, info: &'a MessageInfo, run: Run<'a>) -> BoxFuture<'a, EventResult>;
}

/// Makes a handler of it that is built, or else one that is built for each event.
pub(crate) type Attach = fn(Option<Arc<AnyValue>>) -> Box<dyn HandleEvent>;

pub(crate) fn attach<E: Event, H: EventHandler<E> + Inject>(built: Option<Arc<AnyValue>>) -> Box<dyn HandleEvent> {
    Box::new(EventTo::<E, H> { built: built.and_then(|built| built.downcast().ok()), event: PhantomData })
}

/// A handler of `E`.
// Kept by its type: to find that out again for each event cost a tenth of the time.
struct EventTo<E, H> {
    built: Option<Arc<H>>,
    event: PhantomData<fn(E)>,
}

impl<E: Event, H: EventHandler<E> + Inject> HandleEvent for EventTo<E, H> {
    fn handle<'a>(
        &'a self,
        event: &'a AnyValue,
        info: &'a MessageInfo,
        mut run: Run<'a>,
    ) -> BoxFuture<'a, EventResult> {
        let event: &E = event.downcast_ref().expect("an event's handlers are found by its type");
        Box::pin(async move {
            let for_this_event;
            let handler = match self.built.as_deref() {
                Some(built) => built,
                None => {
                    let mut slots = H::Slots::default();
                    let filled = match run.fill(&mut slots, H::DEPENDENCIES, type_name::<H>()) {
                        MaybeReady::Ready(filled) => filled,
                        MaybeReady::Pending(rest) => rest.await,
                    };
                    if let Err(failure) = filled {
                        return Err(Box::new(widen(failure)));
                    }
                    for_this_event = H::build(slots);
                    &for_this_event
                }
            };
            run.tell_ran(|| info.cause());
            match handler.handle(event, &mut EventContext::new(run, info)).await {
                Ok(()) => Ok(()),
                Err(error) => Err(failed(error)),
            }
        })
    }
}

fn failed(error: BoxError) -> Box<SendError<BoxError>> {
    Box::new(SendError::Handler(error))
}
