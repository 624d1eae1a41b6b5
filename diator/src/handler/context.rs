use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::{EngineRef, Replied, SendResult, sent};
use crate::event::CanWait;
use crate::message::{Cause, MessageDescriptor, MessageInfo, TypeName};
use crate::{BoxFuture, Command, Event, HandledBy, Meta, Request, SendError, SentFrom};

/// Lets the handler of a request emit events and send other requests.
///
/// The handler borrows it for the time of one message, so that nothing can happen in the message's name afterwards.
///
/// # Guarantees
///
/// A handler sends one request at a time: sending borrows the context. A stored [`Mediator`](crate::Mediator) sends several at
/// the same time, each in a unit of work of its own.
pub struct RequestContext<'a, R> {
    engine: EngineRef<'a>,
    request: PhantomData<fn() -> R>,
}

impl<'a, R: Request> RequestContext<'a, R> {
    #[inline]
    pub(crate) fn new(engine: EngineRef<'a>) -> Self {
        Self { engine, request: PhantomData }
    }

    /// The message's ids, trace and values of the program's own.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        self.engine.meta()
    }

    /// Emits an event, which takes effect only if the handler succeeds.
    ///
    /// Domain events are handled after this handler, first in first out; notification and ECST events are published
    /// after the commit.
    ///
    /// The call itself cannot fail. An event that exceeds the [`CascadeLimits`](crate::CascadeLimits), or that cannot
    /// be published, fails the message once its handler has succeeded.
    pub fn emit<E: Event>(&mut self, event: E)
    where
        R: Command,
    {
        self.engine.observe(&cause::<R>, MessageDescriptor::event::<E>);
        self.engine.emit(event.__diator_emitted());
    }

    /// Emits a notification or ECST event that is published when the delay is over, if the handler succeeds.
    ///
    /// The outbox keeps the event until then, even if no process runs. Use it for a reminder or a deadline: the program reacts when the
    /// event arrives. A domain event cannot have a delay.
    ///
    /// # Guarantees
    ///
    /// - The outbox writes the event together with those of [`emit`](Self::emit), in the same transaction.
    /// - A relay publishes the event at least once, and not before its time.
    /// - Nothing can take the event back: its handler must check whether it still matters when it arrives.
    ///
    /// # Units
    ///
    /// The delay counts from the moment when the outbox writes the message, by the clock of its database. Zero means as soon as a relay
    /// polls.
    ///
    /// # Errors
    ///
    /// Those of [`emit`](Self::emit). Without an outbox the message fails before its commit, as
    /// [`SendError::NoOutbox`].
    pub fn emit_after<E>(&mut self, delay: Duration, event: E)
    where
        R: Command,
        E: Event + CanWait<<E as Event>::Kind>,
    {
        self.engine.observe(&cause::<R>, MessageDescriptor::event::<E>);
        self.engine.emit(event.__diator_emitted().after(delay));
    }

    /// Sends another request, within this unit of work.
    ///
    /// The compiler checks that the request has a handler, and that a query sends no command.
    ///
    /// # Errors
    ///
    /// Those of [`Mediator::send`](crate::Mediator::send). If the nested request fails, its events are dropped. This
    /// handler can still succeed; what then happens depends on the container:
    ///
    /// - If the container offers savepoints, a savepoint undoes what the nested request wrote, and the rest commits.
    /// - If it offers none and a scope is open, the whole unit of work rolls back, as [`SendError::RolledBack`].
    ///
    /// If the future is dropped before its end while a scope is open, the whole unit of work rolls back too, unless the
    /// nested request opened the scope and the container offers savepoints.
    pub fn send<Q, RemoveOneOfTheTwoHandlers>(
        &mut self,
        request: Q,
    ) -> BoxFuture<'_, Result<Q::Response, SendError<Q::Error>>>
    where
        Q: HandledBy<RemoveOneOfTheTwoHandlers> + SentFrom<R>, // cannot be inferred if there are two handlers
    {
        self.engine.observe(&cause::<R>, MessageDescriptor::request::<Q>);
        send_on(self.engine, request)
    }

    /// Sends another request whose handler this crate cannot see.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), and [`SendError::Unhandled`].
    pub fn send_dyn<Q: SentFrom<R>>(&mut self, request: Q) -> BoxFuture<'_, Result<Q::Response, SendError<Q::Error>>> {
        self.engine.observe(&cause::<R>, MessageDescriptor::request::<Q>);
        send_on(self.engine, request)
    }
}

impl<R> fmt::Debug for RequestContext<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext").field("meta", self.engine.meta()).finish_non_exhaustive()
    }
}

/// Sends a request from within a handler: what the compiler writes for each type of request.
fn send_on<R: Request>(engine: EngineRef<'_>, request: R) -> BoxFuture<'_, SendResult<R>> {
    // Made outside of the future: within it, it would have room for the request twice.
    let mut request = Some(request);
    Box::pin(async move {
        let mut reply: Replied<R::Response, R::Error> = None;
        engine.deliver(const { &TypeName::of::<R>() }, &mut request, &mut reply).await;
        sent(reply)
    })
}

fn cause<R>() -> Cause {
    Cause::new(type_name::<R>(), None)
}

/// Lets the handler of an event emit other events and send requests.
///
/// The handler may emit every event and send every request, commands included.
pub struct EventContext<'a> {
    engine: EngineRef<'a>,
    // Who emits and sends, for those who observe it.
    info: &'a MessageInfo,
}

impl<'a> EventContext<'a> {
    #[inline]
    pub(crate) fn new(engine: EngineRef<'a>, info: &'a MessageInfo) -> Self {
        Self { engine, info }
    }

    /// The ids, trace and values of the program's own of the message that caused the event.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        self.engine.meta()
    }

    /// Emits another event; a domain event is handled after those that already wait.
    pub fn emit<E: Event>(&mut self, event: E) {
        self.engine.observe(&|| self.info.cause(), MessageDescriptor::event::<E>);
        self.engine.emit(event.__diator_emitted());
    }

    /// Emits a notification or ECST event for later, like [`RequestContext::emit_after`].
    pub fn emit_after<E>(&mut self, delay: Duration, event: E)
    where
        E: Event + CanWait<<E as Event>::Kind>,
    {
        self.engine.observe(&|| self.info.cause(), MessageDescriptor::event::<E>);
        self.engine.emit(event.__diator_emitted().after(delay));
    }

    /// Sends a request, within this unit of work.
    ///
    /// # Errors
    ///
    /// Those of [`RequestContext::send`].
    pub fn send<Q, RemoveOneOfTheTwoHandlers>(
        &mut self,
        request: Q,
    ) -> BoxFuture<'_, Result<Q::Response, SendError<Q::Error>>>
    where
        Q: HandledBy<RemoveOneOfTheTwoHandlers>, // cannot be inferred if there are two handlers
    {
        self.engine.observe(&|| self.info.cause(), MessageDescriptor::request::<Q>);
        send_on(self.engine, request)
    }

    /// Sends a request whose handler this crate cannot see.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), and [`SendError::Unhandled`].
    pub fn send_dyn<Q: Request>(&mut self, request: Q) -> BoxFuture<'_, Result<Q::Response, SendError<Q::Error>>> {
        self.engine.observe(&|| self.info.cause(), MessageDescriptor::request::<Q>);
        send_on(self.engine, request)
    }
}

impl fmt::Debug for EventContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventContext").field("meta", self.engine.meta()).finish_non_exhaustive()
    }
}
