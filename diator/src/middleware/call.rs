use std::any::{Any, type_name};
use std::error::Error;
use std::fmt;

use super::{CommitGate, MessageInfo, Next};
use crate::handler::{Reply, ReplyView};
use crate::maybe_ready::MaybeReady;
use crate::mediator::Invocation;
use crate::{BoxError, Meta, Request, SendError, SendErrorKind};

/// A message on its way through the middleware, and afterwards its reply.
///
/// # Guarantees
///
/// | method | before `next` | after `next` |
/// |---|---|---|
/// | [`message`](Self::message), [`message_mut`](Self::message_mut) | the request; an event only by `message` | an event by `message`; a request only if no handler has taken it |
/// | [`reply`](Self::reply), [`error`](Self::error), [`error_kind`](Self::error_kind), [`is_expected`](Self::is_expected) | `None`, `false` | as the message was answered |
/// | [`answer`](Self::answer) | the handler does not run | it replaces the reply; what is committed stays so |
/// | [`reject`](Self::reject) | the handler does not run | it replaces the reply; if the message is committed, with [`SendError::RejectedAfterCommit`] |
pub struct Call<'a> {
    pub(super) invocation: Invocation<'a>,
    // How many of the middlewares have seen the message; the last of them holds it now.
    pub(super) place: usize,
}

/// Proves that a message was answered; only [`Next`](super::Next) and [`Call`] create one.
#[derive(Debug)]
#[must_use = "return it: it is the proof that the message was answered"]
pub struct Answered(pub(super) ());

/// A copy of a request, for another attempt; [`Call::clone_request`] makes it.
///
/// A copy serves any number of attempts of its call. A later change by [`Call::message_mut`] does not reach the copy.
pub struct Kept(pub(super) Box<dyn Any + Send>);

impl<'a> Call<'a> {
    #[inline]
    pub(crate) fn new(invocation: Invocation<'a>) -> Self {
        Self { invocation, place: 0 }
    }

    /// Sends the message through the pipeline.
    #[inline]
    pub(crate) fn first<'c>(&'c mut self) -> impl Future<Output = Answered> + Send + use<'c, 'a> {
        Next::after(0).run(self)
    }

    /// Ends the message, whatever middleware made of it.
    #[inline]
    pub(crate) fn end(&mut self) -> MaybeReady<'_, ()> {
        self.invocation.end()
    }

    pub(super) fn gate(&self) -> Option<&'a CommitGate> {
        self.invocation.gate()
    }

    /// Whether the message comes from outside of handlers, and so is the root of all that it causes.
    pub(super) fn is_from_outside(&self) -> bool {
        self.invocation.gate().is_some()
    }

    /// The name of the middleware that holds the message now.
    fn holder(&self) -> &'static str {
        self.invocation.pipeline.holder(self.place)
    }

    /// Describes the message and its handler.
    #[must_use]
    pub fn info(&self) -> &MessageInfo {
        &self.invocation.pipeline.info
    }

    /// The message's ids, trace and values of the program's own.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        self.invocation.meta()
    }

    /// The request or event, if its type is `M`; a request is there until the handler takes it.
    #[must_use]
    pub fn message<M: 'static>(&self) -> Option<&M> {
        self.invocation.message()
    }

    /// The request, to be changed before the handler takes it; an event cannot be changed.
    pub fn message_mut<M: 'static>(&mut self) -> Option<&mut M> {
        self.invocation.request_mut()
    }

    /// The reply to the request, once it was answered.
    #[must_use]
    pub fn reply<R: Request>(&self) -> Option<&Result<R::Response, SendError<R::Error>>> {
        let reply: &dyn Any = self.invocation.reply()?;
        reply.downcast_ref::<Option<_>>()?.as_ref()
    }

    /// Why the message failed, once it was answered.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        match self.invocation.reply().map(Reply::view) {
            Some(ReplyView::Failed { error, .. }) => Some(error),
            _ => None,
        }
    }

    /// The kind of the error, once the message was answered with one.
    #[must_use]
    pub fn error_kind(&self) -> Option<SendErrorKind> {
        match self.invocation.reply().map(Reply::view) {
            Some(ReplyView::Failed { kind, .. }) => Some(kind),
            _ => None,
        }
    }

    /// Whether the error is an answer that its request [expects](Request::is_expected), and not a failure.
    ///
    /// `false` if there is no error, and for events.
    #[must_use]
    pub fn is_expected(&self) -> bool {
        self.error().is_some_and(self.info().expects)
    }

    /// Answers the message; the handler does not run, unless it has run already.
    ///
    /// `response` must be the request's response, or `()` for an event. Another type makes the message fail with
    /// [`SendError::WrongAnswer`], which names this middleware, or, if the message had succeeded, with
    /// [`SendError::RejectedAfterCommit`]. After a [`SendError::Undelivered`], the new response replaces the one in
    /// that error.
    pub fn answer<T: Send + 'static>(&mut self, response: T) -> Answered {
        self.invocation.answer(self.holder(), &mut Some(response), type_name::<T>());
        Answered(())
    }

    /// Refuses the message: it fails with [`SendError::Rejected`], which names this middleware.
    ///
    /// Call it before `next`. A message that has succeeded is committed and stays so: the error is then
    /// [`SendError::RejectedAfterCommit`]. An error with an unknown outcome, or with undelivered messages, stays the
    /// answer.
    pub fn reject(&mut self, reason: impl Into<BoxError>) -> Answered {
        self.invocation.reject(self.holder(), reason.into());
        Answered(())
    }

    /// Keeps a copy for [`Next::retry`](super::Next::retry); `None` unless the request is marked idempotent.
    #[must_use]
    pub fn clone_request(&self) -> Option<Kept> {
        self.invocation.copy_request().map(Kept)
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("info", self.info()).field("meta", self.meta()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}
