//! What the compiler writes for each handler, its types forgotten: how it is called. All else is compiled once.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{EngineRef, Replied};
use crate::message::MessageInfo;
use crate::{
    BoxError, BoxFuture, Event, EventContext, EventHandler, Request, RequestContext, RequestHandler, SendError,
};

/// A value whose type is forgotten.
pub(crate) type AnyValue = dyn Any + Send + Sync;

/// What came of one handler of an event: its own error, or why it did not run.
// In a box, like what the mediator itself may fail with: a success is then a single word.
pub(crate) type EventResult = Result<(), Box<SendError<BoxError>>>;

/// The functions of one handler of one request, their types forgotten.
///
/// A request stands in an `Option` of its type, from which the handler takes it.
#[derive(Clone, Copy)]
pub(crate) struct RequestFunctions {
    pub(crate) handle: Handle,
    /// For a request that is marked idempotent.
    pub(crate) retry: Option<RetryFunctions>,
    #[cfg(feature = "in-place")]
    pub(crate) slot: Option<fn() -> &'static super::SlotIndex>,
}

/// Lets the handler handle a request, and writes its result down; the answer is whether it succeeded.
type Handle = for<'a> fn(
    handler: &'a AnyValue,
    request: &'a mut (dyn Any + Send),
    reply: &'a mut (dyn Any + Send),
    engine: EngineRef<'a>,
) -> BoxFuture<'a, bool>;

#[derive(Clone, Copy)]
pub(crate) struct RetryFunctions {
    /// Makes a copy of a request that is still there.
    pub(crate) copy: fn(&dyn Any) -> Option<Box<dyn Any + Send>>,
    /// Puts a copy of such a copy in the place of the request; the answer is whether it fits.
    pub(crate) restore: fn(&dyn Any, &mut dyn Any) -> bool,
}

impl RequestFunctions {
    pub(crate) const fn of<R: Request, H: RequestHandler<R>>() -> Self {
        let retry = RetryFunctions { copy: copy::<R>, restore: restore::<R> };
        Self {
            handle: handle::<R, H>,
            retry: if R::IDEMPOTENT { Some(retry) } else { None },
            #[cfg(feature = "in-place")]
            slot: None,
        }
    }
}

// --- What the compiler writes for each handler, and for each idempotent request. ---

fn handle<'a, R: Request, H: RequestHandler<R>>(
    handler: &'a AnyValue,
    request: &'a mut (dyn Any + Send),
    reply: &'a mut (dyn Any + Send),
    engine: EngineRef<'a>,
) -> BoxFuture<'a, bool> {
    let Some(handler) = handler.downcast_ref::<H>() else { mixed_up() };
    let Some(request) = request.downcast_mut::<Option<R>>() else { mixed_up() };
    let Some(reply) = reply.downcast_mut::<Replied<R::Response, R::Error>>() else { mixed_up() };
    Box::pin(async move {
        // It is gone if a middleware lets the same request be handled again without a copy.
        let Some(request) = request.take() else { return false };
        match handler.handle(request, &mut RequestContext::new(engine)).await {
            Ok(response) => {
                *reply = Some(Ok(response));
                true
            }
            Err(error) => {
                *reply = Some(Err(SendError::Handler(error)));
                false
            }
        }
    })
}

fn copy<R: Request>(request: &dyn Any) -> Option<Box<dyn Any + Send>> {
    let request: &Option<R> = request.downcast_ref()?;
    match request.as_ref()?.retry_copy() {
        Some(copy) => Some(Box::new(Some(copy))),
        None => None,
    }
}

fn restore<R: Request>(copy: &dyn Any, place: &mut dyn Any) -> bool {
    let Some(place) = place.downcast_mut::<Option<R>>() else { mixed_up() };
    *place = match copy.downcast_ref::<Option<R>>() {
        Some(Some(copy)) => copy.retry_copy(),
        _ => None,
    };
    place.is_some()
}

#[cold]
pub(crate) fn mixed_up() -> ! {
    unreachable!("a handler is found by the type of its message")
}

/// A handler of an event: what the compiler writes for each.
pub(crate) trait HandleEvent: Send + Sync {
    /// By the one that was built with the mediator.
    // Six words, which go in registers.
    fn handle<'a>(
        &'a self,
        event: &'a AnyValue,
        info: &'a MessageInfo,
        engine: EngineRef<'a>,
    ) -> BoxFuture<'a, EventResult>;

    /// By one that was built for this event.
    fn handle_by<'a>(
        &'a self,
        handler: &'a AnyValue,
        event: &'a AnyValue,
        info: &'a MessageInfo,
        engine: EngineRef<'a>,
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
        engine: EngineRef<'a>,
    ) -> BoxFuture<'a, EventResult> {
        match &self.built {
            Some(handler) => begin::<E, H>(handler, event, info, engine),
            None => mixed_up(),
        }
    }

    fn handle_by<'a>(
        &'a self,
        handler: &'a AnyValue,
        event: &'a AnyValue,
        info: &'a MessageInfo,
        engine: EngineRef<'a>,
    ) -> BoxFuture<'a, EventResult> {
        match handler.downcast_ref() {
            Some(handler) => begin::<E, H>(handler, event, info, engine),
            None => mixed_up(),
        }
    }
}

fn begin<'a, E: Event, H: EventHandler<E>>(
    handler: &'a H,
    event: &'a AnyValue,
    info: &'a MessageInfo,
    engine: EngineRef<'a>,
) -> BoxFuture<'a, EventResult> {
    let Some(event) = event.downcast_ref::<E>() else { mixed_up() };
    let mut cx = EventContext::new(engine, info);
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
