//! Finds the handler of a request, and takes the request there: compiled once for all requests, but for [`send`].

use std::any::{Any, TypeId, type_name};
use std::sync::Arc;

use super::Mediator;
use super::execution::{Origin, Run};
use super::handle::{AnyValue, RequestFunctions};
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
    /// Built with the mediator, if all its dependencies are singletons; else it is built for each message.
    pub(super) built: Option<Arc<AnyValue>>,
    pub(super) pipeline: Pipeline,
    pub(super) functions: RequestFunctions,
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
            let run = Run { origin: &origin, unit: &mut unit };
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
