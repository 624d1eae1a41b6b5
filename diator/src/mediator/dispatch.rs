use std::any::{Any, TypeId};
use std::convert::Infallible;
use std::future::{Future, ready};
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;

use super::Mediator;
use super::journey::{Journey, Origin};
use super::running::{Entered, Running};
use super::soon::Soon;
use super::unit::Unit;
use crate::catalog::Cause;
use crate::inject::{Inject, Resolver, Services, Slots};
use crate::middleware::{Call, Committing, Layer, Pipeline, RequestExchange, all_idle};
use crate::registry::{Dependency, SlotIndex};
use crate::{BoxFuture, Meta, Request, RequestContext, RequestHandler, SendError};

/// A failure of the mediator's own: there is no handler's error in it.
pub(crate) type Failure = SendError<Infallible>;

type SendResult<R> = Result<<R as Request>::Response, SendError<<R as Request>::Error>>;

/// Gives a failure of the mediator's own the type that the request's sender expects.
pub(crate) fn widen<E>(failure: Failure) -> SendError<E> {
    failure.map_handler(|never| match never {})
}

/// What a message from outside is sent with.
#[derive(Debug)]
pub struct Dispatch<'a> {
    mediator: &'a Mediator,
    meta: Meta,
}

impl<'a> Dispatch<'a> {
    pub(super) fn new(mediator: &'a Mediator, meta: Meta) -> Self {
        Self { mediator, meta }
    }

    /// The message, not counted yet.
    pub(super) fn root(self) -> Root<'a> {
        Root::go_on(self.mediator, self.meta)
    }

    pub(super) fn send_dyn<R: Request>(self, request: R) -> BoxFuture<'a, SendResult<R>> {
        send_from(self.mediator, Origin::Outside(self), request)
    }
}

/// Sends a request to a handler that is known by its type: what [`Mediator::send`] comes to.
// One body and no other future within it but the handler's: each further one would be copied to its place.
#[expect(
    clippy::manual_async_fn,
    reason = "that the future is `Send`, the compiler would find out anew for each handler"
)]
pub fn send<R, H>(
    dispatch: Dispatch<'_>,
    request: R,
    slot: &'static SlotIndex,
) -> impl Future<Output = SendResult<R>> + Send
where
    R: Request,
    H: RequestHandler<R>,
{
    async move {
        let Some(handler) = dispatch.mediator.built(slot).and_then(|built| built.downcast_ref::<H>()) else {
            return dispatch.send_dyn(request).await;
        };
        let result = {
            // The meta is lent: to move it costs more than most of what happens here.
            let Dispatch { mediator, meta } = &dispatch;
            let Some(_running) = Running::enter(*mediator) else { return Err(SendError::ShuttingDown) };
            let mut unit = Unit::default();
            let run = Run { mediator, meta, unit: &mut unit };
            let result = handler.handle(request, &mut RequestContext::new(run)).await;
            if !unit.is_untouched() {
                let ended = match (Run { mediator, meta, unit: &mut unit }).end(result.is_ok(), None) {
                    Soon::Now(()) => Ok(()),
                    Soon::Later(rest) => rest.await,
                };
                return answer(result.map_err(SendError::Handler), ended);
            }
            // There is nothing to drop, which the compiler cannot see.
            std::mem::forget(unit);
            result
        };
        drop(dispatch);
        // Made last of all: it is larger than the handler's own result, and nothing has to move it.
        result.map_err(SendError::Handler)
    }
}

fn send_from<'a, R: Request>(mediator: &'a Mediator, origin: Origin<'a>, request: R) -> BoxFuture<'a, SendResult<R>> {
    match mediator.route(TypeId::of::<R>()).and_then(|route| route.downcast_ref::<Box<dyn Route<R>>>()) {
        Some(route) => route.send(origin, request),
        None => Box::pin(ready(Err(SendError::Unhandled { request: std::any::type_name::<R>() }))),
    }
}

impl Mediator {
    #[inline]
    fn built(&self, slot: &SlotIndex) -> Option<&(dyn Any + Send + Sync)> {
        let Slot { handler, layers } = self.0.slots.get(slot.get())?.as_ref()?;
        all_idle(layers).then_some(&**handler)
    }

    /// A `Box<dyn Route<R>>` for the request `R`, whose identity this is.
    fn route(&self, request: TypeId) -> Option<&(dyn Any + Send + Sync)> {
        self.0.routes.get(&request).map(|route| &**route)
    }
}

impl AsRef<Running> for Mediator {
    fn as_ref(&self) -> &Running {
        &self.0.messages
    }
}

/// A message from outside that is running.
pub(crate) struct Root<'a> {
    pub(super) mediator: &'a Mediator,
    pub(super) meta: Meta,
    // `None` for what runs within something that is counted.
    running: Option<Entered<&'a Mediator>>,
}

impl<'a> Root<'a> {
    #[inline(always)]
    pub(super) fn enter(mediator: &'a Mediator, meta: Meta) -> Option<Self> {
        let running = Running::enter(mediator)?;
        Some(Self { mediator, meta, running: Some(running) })
    }

    /// Counts the message among those that a shutdown waits for.
    pub(super) fn count_in(&mut self) -> Result<(), Failure> {
        self.running = Some(Running::enter(self.mediator).ok_or(SendError::ShuttingDown)?);
        Ok(())
    }

    /// For what follows from a message that was let in, also while the mediator shuts down. It runs within the message or
    /// a task, and so is counted already.
    pub(super) fn go_on(mediator: &'a Mediator, meta: Meta) -> Self {
        Self { mediator, meta, running: None }
    }

    #[inline]
    pub(super) fn run<'r>(&'r self, unit: &'r mut Unit) -> Run<'r> {
        Run { mediator: self.mediator, meta: &self.meta, unit }
    }

    /// What follows the handler: the same for every message. `committing` is told when the commit begins.
    pub(super) async fn conclude<T: Send + 'static, E>(
        &self,
        unit: &mut Unit,
        result: Result<T, SendError<E>>,
        committing: Option<&Committing>,
    ) -> Result<T, SendError<E>> {
        if unit.is_untouched() {
            return result;
        }
        match self.end(unit, result.is_ok(), committing) {
            Soon::Now(()) => result,
            Soon::Later(rest) => answer(result, rest.await),
        }
    }

    pub(super) fn end<'r>(
        &'r self,
        unit: &'r mut Unit,
        succeeded: bool,
        committing: Option<&'r Committing>,
    ) -> Soon<'r, ()> {
        self.run(unit).end(succeeded, committing)
    }
}

/// What the sender gets: the handler's result, unless what followed it went wrong.
pub(super) fn answer<T: Send + 'static, E>(
    result: Result<T, SendError<E>>,
    ended: Result<(), Failure>,
) -> Result<T, SendError<E>> {
    match (result, ended) {
        (result, Ok(())) | (result @ Err(_), _) => result,
        (Ok(response), Err(SendError::Undelivered(undelivered))) => {
            Err(SendError::Undelivered(undelivered.with_response(response)))
        }
        (Ok(_), Err(failure)) => Err(widen(failure)),
    }
}

/// What a handler works with: the mediator, and what belongs to its message.
pub(crate) struct Run<'a> {
    pub(crate) mediator: &'a Mediator,
    pub(crate) meta: &'a Meta,
    pub(crate) unit: &'a mut Unit,
}

impl<'a> Run<'a> {
    pub(crate) fn reborrow(&mut self) -> Run<'_> {
        Run { mediator: self.mediator, meta: self.meta, unit: self.unit }
    }

    /// Notes down that one message causes another, if somebody wants to know.
    #[inline]
    pub(crate) fn observe(&self, cause: fn() -> Cause, message: fn() -> &'static str) {
        if let Some(edges) = &self.mediator.0.edges {
            edges.add(cause(), message());
        }
    }

    /// What follows the handler: the same for every message.
    pub(super) fn end(self, succeeded: bool, committing: Option<&'a Committing>) -> Soon<'a, ()> {
        if succeeded { self.finish(committing) } else { self.fail() }
    }

    /// Sends a nested request.
    pub(crate) fn send<R: Request>(self, request: R) -> BoxFuture<'a, SendResult<R>> {
        send_from(self.mediator, Origin::Nested(self), request)
    }

    /// Gets what a handler is built from whose dependencies belong to this unit of work.
    pub(super) fn fill<'r>(
        &'r mut self,
        slots: &'r mut dyn Slots,
        dependencies: &'static [Dependency],
        handler: &'static str,
    ) -> Soon<'r, ()> {
        let (container, meta) = (&*self.mediator.0.container, self.meta);
        let resolver = Resolver::new(container, dependencies, slots);
        let failed = move |source| SendError::Resolve { handler, source };
        match self.unit.scope(container, meta) {
            Soon::Now(scope) => match resolver.services(scope, meta) {
                Services::Ready(resolved) => resolved.map_err(failed).into(),
                Services::Pending(rest) => Soon::later(async move { rest.await.map_err(failed) }),
            },
            Soon::Later(opening) => Soon::later(async move {
                let scope = opening.await?;
                match resolver.services(scope, meta) {
                    Services::Ready(resolved) => resolved.map_err(failed),
                    Services::Pending(rest) => rest.await.map_err(failed),
                }
            }),
        }
    }
}

/// The way to the handler of the request `R`.
pub(crate) trait Route<R: Request>: Send + Sync {
    fn send<'a>(&'a self, origin: Origin<'a>, request: R) -> BoxFuture<'a, SendResult<R>>;
}

/// A handler that the fast path may call while none of its middleware has anything to do.
pub(super) struct Slot {
    pub(super) handler: Arc<dyn Any + Send + Sync>,
    pub(super) layers: Arc<[Layer]>,
}

/// A handler of `R`, and what wraps it.
pub(crate) struct RouteTo<R, H> {
    /// An `H`, built with the mediator, if all its dependencies are singletons; else it is built for each message.
    pub(super) built: Option<Arc<dyn Any + Send + Sync>>,
    pub(super) pipeline: Pipeline,
    /// Where the built handler is, if nothing wraps it: then a boxed [`send`] is all there is to do.
    pub(super) slot: Option<&'static SlotIndex>,
    pub(super) types: PhantomData<fn(R) -> H>,
}

impl<R: Request, H: RequestHandler<R> + Inject> Route<R> for RouteTo<R, H> {
    // What is written here is compiled again for each handler: all that does not need the types is called.
    fn send<'a>(&'a self, origin: Origin<'a>, request: R) -> BoxFuture<'a, SendResult<R>> {
        let mut journey = match (origin, self.slot) {
            (Origin::Outside(dispatch), Some(slot)) => return Box::pin(send::<R, H>(dispatch, request, slot)),
            (origin, _) => Journey::new(origin),
        };
        Box::pin(async move {
            if let Soon::Later(begun) = journey.begin()
                && let Err(failure) = begun.await
            {
                return Err(widen(failure));
            }
            let running = pin!(None);
            let mut exchange = RequestExchange::new(request, |request| self.attempt(&journey, request), running);
            Call::new(&self.pipeline, journey.meta(), journey.committing(), &mut exchange).go().await;
            match journey.end(exchange.succeeded()) {
                Soon::Now(()) => exchange.into_reply(),
                Soon::Later(rest) => {
                    let ended = rest.await;
                    answer(exchange.into_reply(), ended)
                }
            }
        })
    }
}

impl<R: Request, H: RequestHandler<R> + Inject> RouteTo<R, H> {
    /// Handles the request once.
    async fn attempt(&self, journey: &Journey<'_>, request: R) -> SendResult<R> {
        let mut unit = Unit::default();
        let mut attempt = match journey.attempt(&mut unit, R::NAME) {
            Soon::Now(attempt) => attempt,
            Soon::Later(attempt) => match attempt.await {
                Ok(attempt) => attempt,
                Err(failure) => return Err(widen(failure)),
            },
        };
        let for_this_message;
        let handler = match self.built() {
            Some(built) => built,
            None => {
                let mut slots = H::Slots::default();
                let filled = match attempt.run().fill(&mut slots, H::DEPENDENCIES, std::any::type_name::<H>()) {
                    Soon::Now(()) => Ok(()),
                    Soon::Later(rest) => rest.await,
                };
                if let Err(failure) = filled {
                    if let Soon::Later(rest) = attempt.end(false) {
                        rest.await.ok();
                    }
                    return Err(widen(failure));
                }
                for_this_message = H::build(slots);
                &for_this_message
            }
        };
        let result = handler.handle(request, &mut RequestContext::new(attempt.run())).await;
        match attempt.end(result.is_ok()) {
            Soon::Now(()) => result.map_err(SendError::Handler),
            Soon::Later(rest) => {
                let ended = rest.await;
                answer(result.map_err(SendError::Handler), ended)
            }
        }
    }

    fn built(&self) -> Option<&H> {
        let built = self.built.as_deref()?;
        Some(built.downcast_ref().expect("the route to a handler holds that handler"))
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
