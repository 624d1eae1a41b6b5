//! The way of a request to its handler, as the compiler writes it again for each handler.

use std::any::{Any, TypeId, type_name};
use std::future::{Future, ready};
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;

use super::Mediator;
use super::dispatch::{Dispatch, Origin, Run, SendResult, answer, widen};
use super::journey::{Journey, Nested, Root};
use super::running::Running;
use super::soon::Soon;
use super::unit::Unit;
use crate::context::cause;
use crate::inject::Inject;
use crate::middleware::{Call, Pipeline, RequestExchange};
use crate::registry::{Dependency, SlotIndex};
use crate::{BoxFuture, Request, RequestContext, RequestHandler, SendError};

/// The way to the handler of the request `R`.
pub(crate) trait Route<R: Request>: Send + Sync {
    fn send<'a>(&'a self, dispatch: Dispatch<'a>, request: R) -> BoxFuture<'a, SendResult<R>>;
    fn send_nested<'a>(&'a self, run: Run<'a>, request: R) -> BoxFuture<'a, SendResult<R>>;
}

/// A handler of `R`, and what wraps it.
pub(crate) struct RouteTo<R, H> {
    /// Built with the mediator, if all its dependencies are singletons; else it is built for each message.
    pub(super) built: Option<Arc<H>>,
    pub(super) pipeline: Pipeline,
    pub(super) request: PhantomData<fn(R)>,
}

impl<R: Request, H: RequestHandler<R> + Inject> Route<R> for RouteTo<R, H> {
    fn send<'a>(&'a self, dispatch: Dispatch<'a>, request: R) -> BoxFuture<'a, SendResult<R>> {
        Box::pin(go(Some(self), dispatch, request))
    }

    fn send_nested<'a>(&'a self, run: Run<'a>, request: R) -> BoxFuture<'a, SendResult<R>> {
        let nested = Nested::new(run);
        Box::pin(async move {
            let journey = Journey::Nested(&nested);
            let running = pin!(None);
            let mut exchange = RequestExchange::new(request, (self, journey), Self::attempt, running);
            let mut call = Call::new(&self.pipeline, journey.meta(), journey.committing(), &mut exchange);
            let _handled = call.first().await;
            call.over();
            let reply = exchange.into_reply();
            match nested.end(reply.is_ok()) {
                Soon::Now(()) => reply,
                Soon::Later(rest) => answer(reply, rest.await),
            }
        })
    }
}

impl<R: Request, H: RequestHandler<R> + Inject> RouteTo<R, H> {
    /// Handles the request once.
    // A block, because an `async fn` keeps room for an argument twice. One function for both ways here, because an exchange
    // with a closure of its own would be compiled for each of them.
    #[expect(clippy::manual_async_fn, reason = "see above")]
    fn attempt<'s>(
        (route, journey): (&'s Self, Journey<'s, '_>),
        request: R,
    ) -> impl Future<Output = SendResult<R>> + Send {
        async move {
            let mut unit = Unit::default();
            let mut attempt = match journey.attempt(&mut unit, R::NAME) {
                Soon::Now(attempt) => attempt,
                Soon::Later(attempt) => match attempt.await {
                    Ok(attempt) => attempt,
                    Err(failure) => return Err(widen(failure)),
                },
            };
            let for_this_message;
            let handler = match &route.built {
                Some(built) => &**built,
                None => {
                    let mut slots = H::Slots::default();
                    let filled = match attempt.run().fill(&mut slots, H::DEPENDENCIES, type_name::<H>()) {
                        Soon::Now(()) => Ok(()),
                        Soon::Later(rest) => rest.await,
                    };
                    if let Err(failure) = filled {
                        return Err(widen(attempt.give_up(failure).await));
                    }
                    for_this_message = H::build(slots);
                    &for_this_message
                }
            };
            attempt.run().tell_ran(cause::<R>);
            // The handler's own result, for it is the smaller one, and kept until all has ended.
            let result = handler.handle(request, &mut RequestContext::new(attempt.run())).await;
            match attempt.end(result.is_ok()) {
                Soon::Now(()) => result.map_err(SendError::Handler),
                Soon::Later(rest) => {
                    let ended = rest.await;
                    answer(result.map_err(SendError::Handler), ended)
                }
            }
        }
    }

    /// The handler, if it is built and nothing wraps it at present.
    #[inline]
    fn unwrapped(&self) -> Option<&H> {
        match &self.built {
            Some(built) if self.pipeline.is_idle() => Some(built),
            _ => None,
        }
    }
}

/// Sends a request to a handler that is known by its type: what [`Mediator::send`] comes to.
// Always inlined, and `go` with it: else the future, which is larger than what it begins with, is moved whole to its place.
#[inline(always)]
pub fn send<R, H>(
    dispatch: Dispatch<'_>,
    request: R,
    slot: &'static SlotIndex,
) -> impl Future<Output = SendResult<R>> + Send
where
    R: Request,
    H: RequestHandler<R> + Inject,
{
    go(dispatch.mediator.route_at::<RouteTo<R, H>>(slot), dispatch, request)
}

/// Takes a request along its route; without one, the mediator is asked for the route by the request's type.
// One body and no other future within it but the handler's and an attempt's: each further one would be copied to its place.
#[expect(
    clippy::manual_async_fn,
    reason = "that the future is `Send`, the compiler would find out anew for each handler"
)]
#[inline(always)]
fn go<'a, R, H>(
    route: Option<&'a RouteTo<R, H>>,
    dispatch: Dispatch<'a>,
    request: R,
) -> impl Future<Output = SendResult<R>> + Send
where
    R: Request,
    H: RequestHandler<R> + Inject,
{
    async move {
        let Some(handler) = route.and_then(RouteTo::unwrapped) else {
            let Some(route) = route else { return dispatch.send_dyn(request).await };
            let Some(running) = Running::enter(dispatch.mediator) else { return Err(SendError::ShuttingDown) };
            let origin = Origin { mediator: dispatch.mediator, meta: dispatch.meta.unpack() };
            let root = Root::new(origin, running);
            let journey = Journey::Outside(&root);
            let running = pin!(None);
            let mut exchange = RequestExchange::new(request, (route, journey), RouteTo::attempt, running);
            let mut call = Call::new(&route.pipeline, journey.meta(), journey.committing(), &mut exchange);
            let _handled = call.first().await;
            call.over();
            return exchange.into_reply();
        };
        let result = 'untouched: {
            // What is lent across an `await` has a place in the frame until its block ends: so what follows is awaited after.
            let (result, ended, _running) = {
                let mediator = dispatch.mediator;
                let Some(running) = Running::enter(mediator) else { return Err(SendError::ShuttingDown) };
                let origin = Origin { mediator, meta: dispatch.meta.unpack() };
                let mut unit = Unit::default();
                let run = Run { origin: &origin, unit: &mut unit };
                let result = handler.handle(request, &mut RequestContext::new(run)).await;
                if unit.is_untouched() {
                    // There is nothing to drop, which the compiler cannot see.
                    std::mem::forget(unit);
                    break 'untouched result;
                }
                let ended = origin.end(unit, result.is_ok());
                (result, ended, running)
            };
            let ended = match ended {
                Soon::Now(()) => Ok(()),
                Soon::Later(rest) => rest.await,
            };
            return answer(result.map_err(SendError::Handler), ended);
        };
        // Made last of all: it is larger than the handler's own result, and nothing has to move it.
        result.map_err(SendError::Handler)
    }
}

pub(super) fn unhandled<'a, R: Request>() -> BoxFuture<'a, SendResult<R>> {
    Box::pin(ready(Err(SendError::Unhandled { request: type_name::<R>() })))
}

impl Mediator {
    /// The route at this place, unless a test put another handler there.
    #[inline(always)]
    fn route_at<T: 'static>(&self, slot: &SlotIndex) -> Option<&T> {
        self.0.slots.get(slot.get())?.as_ref()?.downcast_ref()
    }

    pub(super) fn route<R: Request>(&self) -> Option<&dyn Route<R>> {
        let route: &Arc<dyn Route<R>> = self.route_of(TypeId::of::<R>())?.downcast_ref()?;
        Some(&**route)
    }

    fn route_of(&self, request: TypeId) -> Option<&(dyn Any + Send + Sync)> {
        self.0.routes.get(&request).map(|route| &**route)
    }
}

/// A handler that a test put in another's place: it is given as it is, and so never built.
pub(crate) struct Replacement<H>(pub(super) H);

impl<R: Request, H: RequestHandler<R>> RequestHandler<R> for Replacement<H> {
    fn handle(
        &self,
        request: R,
        cx: &mut RequestContext<'_, R>,
    ) -> impl Future<Output = Result<R::Response, R::Error>> + Send {
        self.0.handle(request, cx)
    }
}

impl<H: Send + Sync + 'static> Inject for Replacement<H> {
    const DEPENDENCIES: &'static [Dependency] = &[];
    type Slots = ();

    fn build((): ()) -> Self {
        unreachable!("a replacement is given as it is")
    }
}
