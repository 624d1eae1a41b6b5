//! Finds the handler of a request, and takes the request there: compiled once for all requests, but for [`send`].

use std::any::{Any, TypeId, type_name};
use std::sync::Arc;

use super::Mediator;
use super::execution::{Origin, Run};
use super::handle::{AnyValue, Factory, RequestFunctions};
use super::invocation::Invocation;
use super::maybe_ready::MaybeReady;
use super::running::Running;
use super::unit::Unit;
use crate::meta::PackedMeta;
use crate::middleware::{AnyReply, Call, CommitGate, Pipeline, Replied};
use crate::{Request, SendError};

pub(super) type SendResult<R> = Result<<R as Request>::Response, SendError<<R as Request>::Error>>;

/// The handler of a request, and what wraps it.
pub(crate) struct RequestRoute {
    pub(super) handler: Handler,
    pub(super) pipeline: Pipeline,
    pub(super) functions: RequestFunctions,
}

/// The handler of a request.
pub(super) enum Handler {
    /// Built with the mediator: all its dependencies are singletons, or it has none.
    Built(Arc<AnyValue>),
    /// Built for each message.
    ForMessage(Factory),
}

impl RequestRoute {
    /// Lets the handler handle the request once; the answer is whether it succeeded.
    pub(super) async fn handle(&self, request: &mut (dyn Any + Send), reply: &mut AnyReply, mut run: Run<'_>) -> bool {
        let for_this_message;
        let handler = match &self.handler {
            Handler::Built(built) => &**built,
            Handler::ForMessage(factory) => {
                let built = match factory.build_for(run.reborrow()) {
                    MaybeReady::Ready(built) => built,
                    MaybeReady::Pending(rest) => rest.await,
                };
                match built {
                    Ok(built) => for_this_message = built,
                    Err(failure) => {
                        reply.fail(failure);
                        return false;
                    }
                }
                &*for_this_message
            }
        };
        run.tell_ran(|| self.pipeline.info.cause());
        (self.functions.handle)(handler, request, reply, run).await
    }
}

/// Who sends a request.
pub(crate) enum Sender<'a> {
    /// Somebody outside of handlers, with what the message carries.
    Outside(&'a Mediator, PackedMeta),
    /// A handler, within its unit of work.
    Handler(Run<'a>),
}

/// Which request is sent.
struct Address {
    id: TypeId,
    name: &'static str,
}

/// Sends a request: what the compiler writes for each type of request.
pub(crate) fn send<'a, R: Request>(
    sender: Sender<'a>,
    request: R,
) -> impl Future<Output = SendResult<R>> + Send + use<'a, R> {
    // Made outside of the future: within it, it would have room for the request twice.
    let mut request = Some(request);
    async move {
        let mut reply: Replied<R::Response, R::Error> = None;
        let address = Address { id: TypeId::of::<R>(), name: type_name::<R>() };
        deliver(sender, address, &mut request, &mut reply).await;
        match reply {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) => Err(error),
            None => unreachable!("a message is answered when it has ended"),
        }
    }
}

/// Takes a request to its handler and its reply back.
async fn deliver(sender: Sender<'_>, address: Address, request: &mut (dyn Any + Send), reply: &mut AnyReply) {
    let mediator = match &sender {
        Sender::Outside(mediator, _) => mediator,
        Sender::Handler(run) => run.origin.mediator,
    };
    let Some(route) = mediator.0.routes.get(&address.id) else {
        return reply.fail(SendError::Unhandled { request: address.name }.into());
    };
    match sender {
        Sender::Outside(mediator, meta) => {
            let Some(_running) = Running::enter(mediator) else { return reply.fail(SendError::ShuttingDown.into()) };
            let origin = Origin { mediator, meta: meta.unpack() };
            let (mut unit, gate) = (Unit::default(), CommitGate::default());
            let mut run = Run { origin: &origin, unit: &mut unit };
            if route.pipeline.is_idle() {
                // Nothing wraps it, so there is but one attempt, which nobody can give up alone: 400 instructions less.
                let succeeded = route.handle(request, reply, run.reborrow()).await;
                if !run.unit.is_untouched() {
                    reply.ended(run.end(succeeded, None).get().await);
                }
                return;
            }
            travel(Invocation::from_outside(route, request, reply, run, &gate)).await;
        }
        Sender::Handler(run) => travel(Invocation::nested(route, request, reply, run)).await,
    }
}

/// Takes a message through its middleware, to its handler, and to its end.
pub(super) async fn travel(invocation: Invocation<'_>) {
    let mut call = Call::new(invocation);
    call.first().await;
    if let MaybeReady::Pending(rest) = call.end() {
        rest.await;
    }
}
