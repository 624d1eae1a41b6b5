//! Finds the handler of a request, and takes the request there: compiled once for all requests, but for [`send`].

use std::any::Any;
use std::mem;
use std::pin::pin;
use std::sync::Arc;

use super::Mediator;
use super::build_handler::Factory;
use super::execution::{Execution, MessageEnv};
use super::invocation::Invocation;
use super::unit_state::UnitState;
use crate::handler::{AnyReply, AnyValue, Replied, RequestFunctions, SendResult, sent};
use crate::in_flight::InFlight;
use crate::maybe_ready::MaybeReady;
use crate::message::TypeName;
use crate::meta::PackedMeta;
use crate::middleware::{Call, CommitGate, Pipeline};
use crate::{BoxFuture, Request, SendError};

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
        execution: &'a mut Execution<'_>,
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
        execution: &mut Execution<'_>,
    ) -> bool {
        let built = match factory.build_for(execution) {
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
        execution: &'a mut Execution<'_>,
    ) -> BoxFuture<'a, bool> {
        execution.tell_ran(|| self.pipeline.info.cause());
        (self.functions.handle)(handler, request, reply, execution)
    }
}

/// Sends a request from outside of handlers: what the compiler writes for each type of request.
pub(crate) fn send<'a, R: Request>(
    mediator: &'a Mediator,
    meta: PackedMeta,
    request: R,
) -> impl Future<Output = SendResult<R>> + Send + use<'a, R> {
    // Made outside of the future: within it, it would have room for the request twice.
    let mut request = Some(request);
    async move {
        let mut reply: Replied<R::Response, R::Error> = None;
        deliver(mediator, meta, const { &TypeName::of::<R>() }, &mut request, &mut reply).await;
        sent(reply)
    }
}

/// Takes a request from outside to its handler, and its reply back.
async fn deliver(
    mediator: &Mediator,
    meta: PackedMeta,
    message: &'static TypeName,
    request: &mut (dyn Any + Send),
    reply: &mut AnyReply,
) {
    let Some(route) = mediator.route(message, reply) else { return };
    let Some(_running) = InFlight::enter(mediator) else { return reply.fail(SendError::ShuttingDown.into()) };
    let env = MessageEnv { mediator, meta: meta.unpack() };
    let mut unit = UnitState::of(route.pipeline.info.kind);
    let mut execution = Execution { env: &env, unit: &mut unit };
    if !route.pipeline.is_idle() {
        let gate = CommitGate::default();
        let mut call = Call::new(Invocation::from_outside(route, request, reply, execution, &gate));
        mediator.within(pin!(travel(&mut call))).await;
        drop(call);
        if unit.is_untouched() {
            mem::forget(unit);
        }
        return;
    }
    // Nothing wraps it, so there is but one attempt, which nobody can give up alone: a third fewer instructions.
    let succeeded = match &route.handler {
        Handler::Built(built) => mediator.within(route.start(&**built, request, reply, &mut execution).as_mut()).await,
        Handler::ForMessage(factory) => {
            mediator.within(pin!(route.build_and_start(factory, request, reply, &mut execution))).await
        }
    };
    if unit.is_untouched() {
        return mem::forget(unit);
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

/// Takes a request from a handler to another one, within the same unit of work.
pub(super) async fn deliver_nested(
    execution: Execution<'_>,
    message: &'static TypeName,
    request: &mut (dyn Any + Send),
    reply: &mut AnyReply,
) {
    let Some(route) = execution.env.mediator.route(message, reply) else { return };
    travel(&mut Call::new(Invocation::nested(route, request, reply, execution))).await;
}

impl Mediator {
    /// The handler of a request; without one, that is the reply.
    #[inline]
    fn route(&self, message: &'static TypeName, reply: &mut AnyReply) -> Option<&RequestRoute> {
        let route = self.0.routes.get(&(message.id)());
        if route.is_none() {
            reply.fail(SendError::Unhandled { request: (message.name)() }.into());
        }
        route.map(|route| &**route)
    }
}

/// Takes a message through its middleware, to its handler, and to its end.
pub(crate) async fn travel(call: &mut Call<'_>) {
    let _answered = call.first().await;
    if let MaybeReady::Pending(rest) = call.end() {
        rest.await;
    }
}
