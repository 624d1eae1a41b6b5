use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::Mediator;
use super::finish::Finishing;
use super::running::{Entered, Running};
use super::unit::Unit;
use crate::inject::{Inject, Resolver, Unresolved};
use crate::middleware::{Committing, Layer, Pipeline, all_idle, send_through};
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

    pub(super) fn send_dyn<R: Request>(self, request: R) -> BoxFuture<'a, SendResult<R>> {
        match self.mediator.route::<R>() {
            Some(route) => route.send(self, request),
            None => Box::pin(async { Err(unhandled::<R>()) }),
        }
    }
}

/// Sends a request to a handler that is known by its type: what [`Mediator::send`] comes to.
// One body and no other future within it but the handler's: each further one would be copied to its place.
pub async fn send<R, H>(dispatch: Dispatch<'_>, request: R, slot: &'static SlotIndex) -> SendResult<R>
where
    R: Request,
    H: RequestHandler<R>,
{
    let Some(handler) = dispatch.mediator.built::<H>(slot) else {
        return dispatch.send_dyn(request).await;
    };
    let root = Root::enter(dispatch.mediator, dispatch.meta)?;
    let mut unit = Unit::default();
    let result = handler.handle(request, &mut RequestContext::new(root.run(&mut unit))).await;
    if unit.is_untouched() {
        // There is nothing to drop, which the compiler cannot see.
        std::mem::forget(unit);
        return result.map_err(SendError::Handler);
    }
    let ended = root.end(&mut unit, result.is_ok(), None).await;
    answer(result.map_err(SendError::Handler), ended)
}

fn unhandled<R: Request>() -> SendError<R::Error> {
    SendError::Unhandled { request: std::any::type_name::<R>() }
}

impl Mediator {
    #[inline]
    fn built<H: 'static>(&self, slot: &SlotIndex) -> Option<&H> {
        let Slot { handler, layers } = self.0.slots.get(slot.get())?.as_ref()?;
        handler.downcast_ref().filter(|_| all_idle(layers))
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
    _running: Option<Entered<&'a Mediator>>,
}

impl<'a> Root<'a> {
    #[inline(always)]
    pub(super) fn enter<E>(mediator: &'a Mediator, meta: Meta) -> Result<Self, SendError<E>> {
        let running = Running::enter(mediator).ok_or(SendError::ShuttingDown)?;
        Ok(Self { mediator, meta, _running: Some(running) })
    }

    /// For what follows from a message that was let in, also while the mediator shuts down. It runs within the message or
    /// a task, and so is counted already.
    pub(super) fn go_on(mediator: &'a Mediator, meta: Meta) -> Self {
        Self { mediator, meta, _running: None }
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
        let ended = self.end(unit, result.is_ok(), committing).await;
        answer(result, ended)
    }

    fn end<'r>(&'r self, unit: &'r mut Unit, succeeded: bool, committing: Option<&'r Committing>) -> Finishing<'r> {
        let run = self.run(unit);
        if succeeded { run.finish(committing) } else { run.fail() }
    }
}

/// What the sender gets: the handler's result, unless what followed it went wrong.
fn answer<T: Send + 'static, E>(
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

    /// Sends a nested request.
    pub(crate) fn send<R: Request>(self, request: R) -> BoxFuture<'a, SendResult<R>> {
        match self.mediator.route::<R>() {
            Some(route) => route.nest(self, request),
            None => Box::pin(async { Err(unhandled::<R>()) }),
        }
    }

    /// Builds a handler whose dependencies belong to this unit of work.
    pub(crate) async fn build<H: Inject>(&mut self) -> Result<H, Failure> {
        let container = &*self.mediator.0.container;
        let scope = self.unit.scope(container, self.meta).await.map_err(SendError::Scope)?;
        let mut resolver = Resolver::new(container, Some((scope, self.meta)));
        let handler = H::inject(&mut resolver).await;
        handler.map_err(|_unresolved| SendError::Resolve {
            handler: std::any::type_name::<H>(),
            source: resolver.into_error(),
        })
    }
}

/// Where a request comes from.
pub(crate) enum Origin<'a> {
    Outside(Root<'a>, Committing),
    Nested(NestedRequest<'a>),
}

impl Origin<'_> {
    fn meta(&self) -> &Meta {
        match self {
            Self::Outside(root, _) => &root.meta,
            Self::Nested(nested) => nested.meta,
        }
    }

    fn committing(&self) -> Option<&Committing> {
        match self {
            Self::Outside(_, committing) => Some(committing),
            Self::Nested(_) => None,
        }
    }
}

/// A request that is sent from within a handler, with all its middleware and attempts; unless it succeeds, what it did
/// is undone.
pub(crate) struct NestedRequest<'a> {
    meta: &'a Meta,
    // A mutex, because a middleware may let the request be handled several times, one after the other: each attempt
    // borrows the unit for its time. It is never waited for.
    run: Mutex<Run<'a>>,
    mark: usize,
    succeeded: bool,
}

impl<'a> NestedRequest<'a> {
    fn begin(run: Run<'a>) -> Self {
        Self { meta: run.meta, mark: run.unit.mark(), run: Mutex::new(run), succeeded: false }
    }
}

impl Drop for NestedRequest<'_> {
    fn drop(&mut self) {
        if !self.succeeded {
            self.run.get_mut().unit.undo_from(self.mark);
        }
    }
}

/// The way to the handler of the request `R`.
pub(crate) trait Route<R: Request>: Send + Sync {
    /// Sends a request from outside.
    fn send<'a>(&'a self, dispatch: Dispatch<'a>, request: R) -> BoxFuture<'a, SendResult<R>>;

    /// Sends a request from within a handler.
    fn nest<'a>(&'a self, run: Run<'a>, request: R) -> BoxFuture<'a, SendResult<R>>;
}

/// A handler that the fast path may call while none of its middleware has anything to do.
pub(super) struct Slot {
    pub(super) handler: Arc<dyn Any + Send + Sync>,
    pub(super) layers: Arc<[Layer]>,
}

/// A handler, and what wraps it.
pub(crate) struct RouteTo<H> {
    /// Built with the mediator, if all its dependencies are singletons; else it is built for each message.
    pub(super) built: Option<Arc<H>>,
    pub(super) pipeline: Pipeline,
    /// Where the built handler is, if nothing wraps it: then a boxed `send` is all there is to do.
    pub(super) slot: Option<&'static SlotIndex>,
}

impl<R: Request, H: RequestHandler<R> + Inject> Route<R> for RouteTo<H> {
    fn send<'a>(&'a self, dispatch: Dispatch<'a>, request: R) -> BoxFuture<'a, SendResult<R>> {
        if let Some(slot) = self.slot {
            return Box::pin(send::<R, H>(dispatch, request, slot));
        }
        Box::pin(async move {
            let root = Root::enter(dispatch.mediator, dispatch.meta)?;
            self.send_from(&Origin::Outside(root, Committing::default()), request).await
        })
    }

    fn nest<'a>(&'a self, run: Run<'a>, request: R) -> BoxFuture<'a, SendResult<R>> {
        Box::pin(async move {
            let mut origin = Origin::Nested(NestedRequest::begin(run));
            let result = self.send_from(&origin, request).await;
            if let (Origin::Nested(nested), Ok(_)) = (&mut origin, &result) {
                nested.succeeded = true;
            }
            result
        })
    }
}

impl<H: Inject> RouteTo<H> {
    async fn send_from<R: Request>(&self, origin: &Origin<'_>, request: R) -> SendResult<R>
    where
        H: RequestHandler<R>,
    {
        if self.pipeline.is_idle() {
            return self.attempt(origin, request).await;
        }
        let attempt = |request| self.attempt(origin, request);
        send_through(&self.pipeline, origin.meta(), origin.committing(), request, attempt).await
    }

    /// Handles a request once, with all that belongs to it: for one from outside, the events and the commit.
    async fn attempt<R: Request>(&self, origin: &Origin<'_>, request: R) -> SendResult<R>
    where
        H: RequestHandler<R>,
    {
        match origin {
            Origin::Outside(root, committing) => {
                committing.reset();
                let mut unit = Unit::default();
                let result = self.handle(root.run(&mut unit), request).await;
                let result = root.conclude(&mut unit, result, Some(committing)).await;
                if result.as_ref().is_err_and(|error| !error.is_committed()) {
                    committing.reset();
                }
                result
            }
            Origin::Nested(nested) => {
                let mut run = nested.run.lock().await;
                let Run { mediator, meta, unit } = run.reborrow();
                let nested = unit.nest(R::NAME).map_err(|(message, limit)| SendError::Cascade { message, limit })?;
                let result = self.handle(Run { mediator, meta, unit: nested.unit }, request).await;
                if result.is_ok() {
                    nested.succeed();
                }
                result
            }
        }
    }

    async fn handle<R: Request>(&self, mut run: Run<'_>, request: R) -> SendResult<R>
    where
        H: RequestHandler<R>,
    {
        let for_this_message;
        let handler = match &self.built {
            Some(built) => &**built,
            None => {
                for_this_message = run.build::<H>().await.map_err(widen)?;
                &for_this_message
            }
        };
        handler.handle(request, &mut RequestContext::new(run)).await.map_err(SendError::Handler)
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
    fn dependencies() -> Vec<Dependency> {
        Vec::new()
    }

    async fn inject(resolver: &mut Resolver<'_>) -> Result<Self, Unresolved> {
        Err(resolver.unresolvable())
    }
}
