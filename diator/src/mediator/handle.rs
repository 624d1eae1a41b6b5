//! What the compiler writes for each request handler: how it is built, and how it is called. All else is compiled once.

use std::any::{Any, type_name};
use std::sync::Arc;

use super::execution::Run;
use super::failure::widen;
use super::maybe_ready::MaybeReady;
use crate::container::Container;
use crate::context::cause;
use crate::inject::{Inject, ResolveError, Resolver};
use crate::middleware::Replied;
use crate::registry::Dependency;
use crate::{BoxFuture, Request, RequestContext, RequestHandler, SendError};

/// A value whose type is forgotten.
pub(crate) type AnyValue = dyn Any + Send + Sync;

/// The functions of one handler of one request, their types forgotten.
///
/// A request stands in an `Option` of its type, from which the handler takes it.
#[derive(Clone, Copy)]
pub(crate) struct RequestFunctions {
    pub(super) handle: Handle,
    /// For a request that is marked idempotent.
    pub(super) retry: Option<RetryFunctions>,
    #[cfg(feature = "in-place")]
    pub(crate) slot: Option<fn() -> &'static super::SlotIndex>,
}

/// Lets the handler handle a request, and writes its result down; the answer is whether it succeeded.
type Handle = for<'a> fn(
    built: Option<&'a AnyValue>,
    request: &'a mut (dyn Any + Send),
    reply: &'a mut (dyn Any + Send),
    run: Run<'a>,
) -> BoxFuture<'a, bool>;

#[derive(Clone, Copy)]
pub(crate) struct RetryFunctions {
    /// Makes a copy of a request that is still there.
    pub(super) copy: fn(&dyn Any) -> Option<Box<dyn Any + Send>>,
    /// Puts a copy of such a copy in the place of the request.
    pub(super) restore: fn(&dyn Any, &mut dyn Any),
}

/// Builds a handler of singletons.
pub(crate) type Build = fn(&dyn Container) -> Result<Arc<AnyValue>, ResolveError>;

impl RequestFunctions {
    pub(crate) const fn of<R: Request, H: RequestHandler<R> + Inject>() -> Self {
        let retry = RetryFunctions { copy: copy::<R>, restore: restore::<R> };
        Self {
            handle: handle::<R, H>,
            retry: if R::IDEMPOTENT { Some(retry) } else { None },
            #[cfg(feature = "in-place")]
            slot: None,
        }
    }
}

pub(crate) fn build<H: Inject>(container: &dyn Container) -> Result<Arc<AnyValue>, ResolveError> {
    let mut slots = H::Slots::default();
    Resolver::new(container, H::DEPENDENCIES, &mut slots).singletons()?;
    Ok(Arc::new(H::build(slots)))
}

fn handle<'a, R: Request, H: RequestHandler<R> + Inject>(
    built: Option<&'a AnyValue>,
    request: &'a mut (dyn Any + Send),
    reply: &'a mut (dyn Any + Send),
    mut run: Run<'a>,
) -> BoxFuture<'a, bool> {
    let request: &mut Option<R> = known(request.downcast_mut());
    let reply: &mut Replied<R::Response, R::Error> = known(reply.downcast_mut());
    let built: Option<&H> = built.map(|built| known(built.downcast_ref()));
    Box::pin(async move {
        let for_this_message;
        let handler = match built {
            Some(built) => built,
            None => {
                let mut slots = H::Slots::default();
                let filled = match run.fill(&mut slots, H::DEPENDENCIES, type_name::<H>()) {
                    MaybeReady::Ready(filled) => filled,
                    MaybeReady::Pending(rest) => rest.await,
                };
                if let Err(failure) = filled {
                    *reply = Some(Err(widen(failure)));
                    return false;
                }
                for_this_message = H::build(slots);
                &for_this_message
            }
        };
        // It is gone if a middleware lets the same request be handled again without a copy.
        let Some(request) = request.take() else { return false };
        run.tell_ran(cause::<R>);
        match handler.handle(request, &mut RequestContext::new(run)).await {
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
    match request.as_ref()?.keep() {
        Some(copy) => Some(Box::new(Some(copy))),
        None => None,
    }
}

fn restore<R: Request>(copy: &dyn Any, place: &mut dyn Any) {
    if let Some(place) = place.downcast_mut::<Option<R>>() {
        // A copy of another message leaves nothing to handle.
        *place = copy.downcast_ref::<Option<R>>().and_then(|copy| copy.as_ref()?.keep());
    }
}

fn known<T>(value: Option<T>) -> T {
    value.expect("a route is found by the type of its request")
}

/// A handler that a test put in another's place: it is given as it is, and so never built.
pub(super) struct Replacement<H>(pub(super) H);

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
