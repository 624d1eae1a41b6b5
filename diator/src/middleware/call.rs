use std::any::{Any, type_name};
use std::error::Error;
use std::fmt;

use super::exchange::Exchange;
use super::{Committing, MessageInfo, Next, Pipeline};
use crate::{BoxError, Meta, Request, SendError, SendErrorKind};

/// A message on its way through the middleware, and then what came of it.
pub struct Call<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) meta: &'a Meta,
    // `None` if no commit belongs to it: it is nested, or an event.
    pub(super) committing: Option<&'a Committing>,
    pub(super) exchange: &'a mut (dyn Exchange + Send + 'a),
    // How many of the middlewares have seen the message; the last of them holds it now.
    pub(super) place: usize,
}

/// The proof that a message was answered; only [`Next`](super::Next) and [`Call`] give it.
#[derive(Debug)]
#[must_use = "return it: it is the proof that the message was answered"]
pub struct Handled(pub(super) ());

/// A copy of a request, for another attempt.
pub struct Kept(pub(super) Box<dyn Any + Send>);

impl<'a> Call<'a> {
    pub(crate) fn new(
        pipeline: &'a Pipeline,
        meta: &'a Meta,
        committing: Option<&'a Committing>,
        exchange: &'a mut (dyn Exchange + Send + 'a),
    ) -> Self {
        Self { pipeline, meta, committing, exchange, place: 0 }
    }

    /// Sends the message through the pipeline; afterwards it is [`over`](Self::over).
    // Two steps, because a future around both would only be moved to its place, and its answer out of it.
    pub(crate) fn first<'c>(&'c mut self) -> impl Future<Output = Handled> + Send + use<'c, 'a> {
        Next::after(0).run(self)
    }

    /// Makes sure that the message was answered.
    pub(crate) fn over(&mut self) {
        // A middleware may have forgotten the future of `next`, or handed out the proof of another message.
        self.exchange.cancel();
        if self.exchange.reply().get().is_none() {
            let outermost = self.pipeline.layers.first().map_or("", |layer| layer.name);
            self.exchange.reply_mut().reject(outermost, "the message came back without an answer".into(), false);
        }
    }

    /// Which message it is, and who handles it.
    #[must_use]
    pub fn info(&self) -> &MessageInfo {
        &self.pipeline.info
    }

    /// What travels with the message.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        self.meta
    }

    /// The request or event, if it is an `M`; a request is there until the handler takes it.
    #[must_use]
    pub fn message<M: 'static>(&self) -> Option<&M> {
        self.exchange.message()?.downcast_ref()
    }

    /// The request, to be changed before the handler takes it; an event cannot be changed.
    pub fn message_mut<M: 'static>(&mut self) -> Option<&mut M> {
        self.exchange.message_mut()?.downcast_mut()
    }

    /// What came of the request, once it was answered.
    #[must_use]
    pub fn reply<R: Request>(&self) -> Option<&Result<R::Response, SendError<R::Error>>> {
        self.exchange.reply().get()?.downcast_ref()
    }

    /// Why the message failed, once it was answered.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        self.exchange.reply().error()
    }

    /// Which sort of failure it is, once the message was answered.
    #[must_use]
    pub fn error_kind(&self) -> Option<SendErrorKind> {
        self.exchange.reply().error_kind()
    }

    /// Answers the message; the handler does not run, unless it has run already.
    ///
    /// `response` is the request's response, or `()` for an event. Another type makes the message fail with
    /// [`SendError::WrongAnswer`], which names this middleware, or, if it had succeeded, with
    /// [`SendError::RejectedAfterCommit`]. After a [`SendError::Undelivered`] it is the response in that.
    pub fn answer<T: Send + 'static>(&mut self, response: T) -> Handled {
        let (holder, committed) = (self.pipeline.holder(self.place), self.is_committed());
        self.exchange.reply_mut().answer(holder, &mut Some(response), type_name::<T>(), committed);
        Handled(())
    }

    /// Refuses the message: it fails with [`SendError::Rejected`], which names this middleware.
    ///
    /// Do so before `next`. What has succeeded is committed and stays so: the error is then
    /// [`SendError::RejectedAfterCommit`]. An outcome that is unknown, or that carries what was not delivered, remains the
    /// answer.
    pub fn reject(&mut self, reason: impl Into<BoxError>) -> Handled {
        let (holder, committed) = (self.pipeline.holder(self.place), self.is_committed());
        self.exchange.reply_mut().reject(holder, reason.into(), committed);
        Handled(())
    }

    /// Whether what the message did stands, whatever middleware makes of it.
    fn is_committed(&self) -> bool {
        self.committing.is_some() && self.exchange.has_succeeded()
    }

    /// Keeps a copy for [`Next::again`](super::Next::again); `None` unless the request is marked idempotent.
    #[must_use]
    pub fn keep(&self) -> Option<Kept> {
        self.exchange.keep().map(Kept)
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("info", self.info()).field("meta", self.meta).finish_non_exhaustive()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}
