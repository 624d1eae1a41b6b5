//! What the compiler writes for each request handler: how it is built, and how it is called. All else is compiled once.

use std::any::Any;
use std::sync::Arc;

use super::execution::{Execution, MessageEnv};
use super::failure::Failure;
use super::maybe_ready::MaybeReady;
use crate::container::Container;
use crate::inject::{Inject, ResolveError, Resolver, Slots};
use crate::middleware::Replied;
use crate::registry::{Dependency, HandlerDescriptor};
use crate::{BoxFuture, Request, RequestContext, RequestHandler, SendError};

/// A value whose type is forgotten.
pub(crate) type AnyValue = dyn Any + Send + Sync;

/// How a handler is built, its type forgotten.
#[derive(Clone, Copy)]
pub(crate) struct Factory {
    handler: &'static str,
    dependencies: &'static [Dependency],
    slots: fn() -> Box<dyn Slots>,
    build: fn(Box<dyn Slots>) -> Arc<AnyValue>,
}

impl Factory {
    pub(crate) fn of(handler: &HandlerDescriptor) -> Self {
        let (slots, build) = handler.build;
        Self { handler: handler.handler(), dependencies: handler.dependencies(), slots, build }
    }

    /// Builds a handler of singletons.
    pub(crate) fn build_once(&self, container: &dyn Container) -> Result<Arc<AnyValue>, ResolveError> {
        let slots = Resolver::new(container, self.dependencies, (self.slots)()).singletons()?;
        Ok((self.build)(slots))
    }

    /// Builds a handler of the services of one unit of work.
    pub(crate) fn build_for<'r>(
        &'r self,
        Execution { env, unit }: Execution<'r>,
    ) -> MaybeReady<'r, Result<Arc<AnyValue>, Failure>> {
        let MessageEnv { mediator, meta } = env;
        let container = &*mediator.0.container;
        let mut resolver = Resolver::new(container, self.dependencies, (self.slots)());
        match unit.scope(container, meta) {
            MaybeReady::Ready(Err(failure)) => MaybeReady::Ready(Err(failure)),
            MaybeReady::Ready(Ok(scope)) if resolver.services_at_once(scope, meta) => {
                MaybeReady::Ready(self.built(resolver))
            }
            MaybeReady::Ready(Ok(scope)) => MaybeReady::pending(async move {
                resolver.services_in_time(scope, meta).await;
                self.built(resolver)
            }),
            MaybeReady::Pending(opening) => MaybeReady::pending(async move {
                resolver.services_in_time(opening.await?, meta).await;
                self.built(resolver)
            }),
        }
    }

    fn built(&self, resolver: Resolver<'_>) -> Result<Arc<AnyValue>, Failure> {
        match resolver.end() {
            Ok(slots) => Ok((self.build)(slots)),
            Err(source) => Err(SendError::Resolve { handler: self.handler, source }.into()),
        }
    }
}

/// Of the type of a handler: what is made of its slots, and they themselves.
pub(crate) type Build = (fn() -> Box<dyn Slots>, fn(Box<dyn Slots>) -> Arc<AnyValue>);

pub(crate) const fn build<H: Inject>() -> Build {
    (H::__diator_slots, build_of::<H>)
}

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
    execution: Execution<'a>,
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

fn build_of<H: Inject>(slots: Box<dyn Slots>) -> Arc<AnyValue> {
    Arc::new(H::__diator_build(slots))
}

fn handle<'a, R: Request, H: RequestHandler<R>>(
    handler: &'a AnyValue,
    request: &'a mut (dyn Any + Send),
    reply: &'a mut (dyn Any + Send),
    execution: Execution<'a>,
) -> BoxFuture<'a, bool> {
    let Some(handler) = handler.downcast_ref::<H>() else { mixed_up() };
    let Some(request) = request.downcast_mut::<Option<R>>() else { mixed_up() };
    let Some(reply) = reply.downcast_mut::<Replied<R::Response, R::Error>>() else { mixed_up() };
    Box::pin(async move {
        // It is gone if a middleware lets the same request be handled again without a copy.
        let Some(request) = request.take() else { return false };
        match handler.handle(request, &mut RequestContext::new(execution)).await {
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
