//! Finds the handler of a request, and takes the request there: compiled once for all requests, but for [`send`].

use std::any::Any;
use std::pin::pin;
use std::sync::Arc;

use super::Mediator;
use super::execution::{Execution, MessageEnv};
use super::handle::{AnyValue, Factory, RequestFunctions};
use super::invocation::Invocation;
use super::maybe_ready::MaybeReady;
use super::unit::UnitState;
use crate::in_flight::InFlight;
use crate::meta::PackedMeta;
use crate::middleware::{AnyReply, Call, CommitGate, Pipeline, Replied};
use crate::registry::TypeName;
use crate::{BoxFuture, Request, SendError};

/// What the sender of a request gets.
pub type SendResult<R> = Result<<R as Request>::Response, SendError<<R as Request>::Error>>;

/// The handler of a request, and what wraps it.
pub(crate) struct RequestRoute {
    pub(crate) handler: Handler,
    pub(crate) pipeline: Pipeline,
    pub(crate) functions: RequestFunctions,
}

/// The handler of a request.
pub(crate) enum Handler {
    /// Built with the mediator: all its dependencies are singletons, or it has none.
    Built(Arc<AnyValue>),
    /// Built for each message.
    ForMessage(Factory),
}

impl RequestRoute {
    /// Lets the handler handle the request once; the answer is whether it succeeded.
    #[inline(always)]
    pub(crate) fn attempt<'a>(
        &'a self,
        request: &'a mut (dyn Any + Send),
        reply: &'a mut AnyReply,
        execution: Execution<'a>,
    ) -> BoxFuture<'a, bool> {
        match &self.handler {
            Handler::Built(built) => self.start(&**built, request, reply, execution),
            Handler::ForMessage(factory) => Box::pin(self.build_and_start(factory, request, reply, execution)),
        }
    }

    async fn build_and_start(
        &self,
        factory: &Factory,
        request: &mut (dyn Any + Send),
        reply: &mut AnyReply,
        mut execution: Execution<'_>,
    ) -> bool {
        let built = match factory.build_for(execution.reborrow()) {
            MaybeReady::Ready(built) => built,
            MaybeReady::Pending(rest) => rest.await,
        };
        match built {
            Ok(built) => self.start(&*built, request, reply, execution).await,
            Err(failure) => {
                reply.fail(failure);
                false
            }
        }
    }

    #[inline(always)]
    fn start<'a>(
        &'a self,
        handler: &'a AnyValue,
        request: &'a mut (dyn Any + Send),
        reply: &'a mut AnyReply,
        execution: Execution<'a>,
    ) -> BoxFuture<'a, bool> {
        execution.tell_ran(|| self.pipeline.info.cause());
        (self.functions.handle)(handler, request, reply, execution)
    }
}

/// Who sends a request.
pub(crate) enum Sender<'a> {
    /// Somebody outside of handlers, with what the message carries.
    Outside(&'a Mediator, PackedMeta),
    /// A handler, within its unit of work.
    Handler(Execution<'a>),
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
        deliver(sender, const { &TypeName::of::<R>() }, &mut request, &mut reply).await;
        match reply {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) => Err(error),
            None => unreachable!("a message is answered when it has ended"),
        }
    }
}

/// Takes a request to its handler and its reply back.
async fn deliver(sender: Sender<'_>, message: &'static TypeName, request: &mut (dyn Any + Send), reply: &mut AnyReply) {
    let mediator = match &sender {
        Sender::Outside(mediator, _) => mediator,
        Sender::Handler(execution) => execution.env.mediator,
    };
    let Some(route) = mediator.0.routes.get(&(message.id)()) else {
        return reply.fail(SendError::Unhandled { request: (message.name)() }.into());
    };
    match sender {
        Sender::Outside(mediator, meta) => {
            let Some(_running) = InFlight::enter(mediator) else { return reply.fail(SendError::ShuttingDown.into()) };
            let env = MessageEnv { mediator, meta: meta.unpack() };
            let mut unit = UnitState::default();
            if !route.pipeline.is_idle() {
                let gate = CommitGate::default();
                let execution = Execution { env: &env, unit: &mut unit };
                let mut call = Call::new(Invocation::from_outside(route, request, reply, execution, &gate));
                mediator.within(pin!(travel(&mut call))).await;
                drop(call);
                if unit.is_untouched() {
                    std::mem::forget(unit);
                }
                return;
            }
            // Nothing wraps it, so there is but one attempt, which nobody can give up alone: a third fewer instructions.
            let execution = Execution { env: &env, unit: &mut unit };
            let succeeded = match &route.handler {
                Handler::Built(built) => {
                    mediator.within(route.start(&**built, request, reply, execution).as_mut()).await
                }
                Handler::ForMessage(factory) => {
                    mediator.within(pin!(route.build_and_start(factory, request, reply, execution))).await
                }
            };
            if unit.is_unused() {
                // There is nothing to drop, which the compiler cannot see.
                return std::mem::forget(unit);
            }
            let commit = match (Execution { env: &env, unit: &mut unit }).end(succeeded, None) {
                MaybeReady::Ready(commit) => commit,
                MaybeReady::Pending(mut rest) => mediator.within(rest.as_mut()).await,
            };
            let ended = match commit {
                Ok(MaybeReady::Ready(ended)) => ended,
                Ok(MaybeReady::Pending(commit)) => commit.await,
                Err(failure) => Err(failure),
            };
            reply.ended(ended);
        }
        Sender::Handler(execution) => {
            let mut call = Call::new(Invocation::nested(route, request, reply, execution));
            travel(&mut call).await;
        }
    }
}

/// Takes a message through its middleware, to its handler, and to its end.
pub(crate) async fn travel(call: &mut Call<'_>) {
    let _answered = call.first().await;
    if let MaybeReady::Pending(rest) = call.end() {
        rest.await;
    }
}
