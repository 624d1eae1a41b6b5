//! A message on its way through its middleware to its handler, with all its attempts.
//!
//! | attempt | what it left | who leaves it |
//! |---|---|---|
//! | `Idle` | nothing | the next attempt begins: `Running` |
//! | `Running` | what its handler did so far; perhaps a commit that is under way | the handler, and the commit after it, end: `Succeeded`, or undone and `Idle` |
//! | `Succeeded` | for a message from outside, a commit; for a nested one, what is kept or undone at its end | another attempt, or the end: `Idle` |
//!
//! An attempt whose future is dropped or forgotten stays `Running`: whoever comes next undoes it. If its commit has begun, nobody can:
//! the commit goes on, and the message notes that nobody knows its outcome.

mod answer;

use std::any::Any;
use std::mem;

use super::before_commit::Commit;
use super::commit::log_unread;
use super::events::EventEntry;
use super::execution::Execution;
use super::route::RequestRoute;
use super::unit_state::Checkpoint;
use crate::error::Failure;
use crate::handler::{AnyReply, AnyValue, Reply, ReplyView};
use crate::maybe_ready::MaybeReady;
use crate::middleware::{CommitGate, Pipeline};
use crate::shown::Chain;
use crate::{BoxFuture, Committed, Meta, SendError};

/// One message, from its first middleware to what follows its handler.
///
/// # Guarantees
///
/// - At its end the message is answered, whatever middleware did.
/// - What may be committed is never answered as if it were not.
/// - A nested request is kept or undone as a whole, also if this is dropped; where it cannot be undone alone, its unit of work
///   must not commit.
pub(crate) struct Invocation<'a> {
    pub(crate) pipeline: &'a Pipeline,
    message: Message<'a>,
    reply: &'a mut AnyReply,
    /// Whether there is something to handle: the request was not taken yet, or a copy stands in its place.
    present: bool,
    /// Whether a middleware lets it be handled more than once.
    retried: bool,
    /// Whether the reply is that of the last attempt, or of a middleware.
    answered: bool,
    execution: Execution<'a>,
    origin: CallOrigin<'a>,
    attempt: Attempt,
    /// Whether an attempt has succeeded, whatever middleware made of it.
    succeeded: bool,
    /// Why nobody knows whether an earlier attempt is committed, if that is so.
    unknown: Option<String>,
    /// The commit of an attempt, while it is waited for.
    commit: Option<BoxFuture<'static, Result<(), Failure>>>,
}

/// What is handled, its type forgotten.
enum Message<'a> {
    /// In an `Option` of its type.
    Request {
        request: &'a mut (dyn Any + Send),
        route: &'a RequestRoute,
    },
    Event {
        event: &'a AnyValue,
        entry: &'a EventEntry,
    },
}

/// Where a message comes from, and so what belongs to it.
enum CallOrigin<'a> {
    /// From outside: a unit of work of its own for each attempt, and its commit.
    Root(&'a CommitGate),
    /// From a handler, whose unit of work it shares from this place on; marked by the first attempt.
    Nested(Option<Checkpoint>),
    /// An event within a unit of work, whose handler began at this place.
    Event(Option<Checkpoint>),
}

/// How far an attempt has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Idle,
    Running,
    Succeeded,
}

impl<'a> Invocation<'a> {
    fn new(
        pipeline: &'a Pipeline,
        message: Message<'a>,
        reply: &'a mut AnyReply,
        execution: Execution<'a>,
        origin: CallOrigin<'a>,
    ) -> Self {
        let (present, retried, answered, attempt, succeeded) = (true, false, false, Attempt::Idle, false);
        Self {
            pipeline,
            message,
            reply,
            present,
            retried,
            answered,
            execution,
            origin,
            attempt,
            succeeded,
            unknown: None,
            commit: None,
        }
    }

    #[inline]
    pub(super) fn from_outside(
        route: &'a RequestRoute,
        request: &'a mut (dyn Any + Send),
        reply: &'a mut AnyReply,
        execution: Execution<'a>,
        gate: &'a CommitGate,
    ) -> Self {
        Self::new(&route.pipeline, Message::Request { request, route }, reply, execution, CallOrigin::Root(gate))
    }

    #[inline]
    pub(super) fn nested(
        route: &'a RequestRoute,
        request: &'a mut (dyn Any + Send),
        reply: &'a mut AnyReply,
        execution: Execution<'a>,
    ) -> Self {
        Self::new(&route.pipeline, Message::Request { request, route }, reply, execution, CallOrigin::Nested(None))
    }

    pub(super) fn of_event(
        entry: &'a EventEntry,
        event: &'a AnyValue,
        reply: &'a mut AnyReply,
        execution: Execution<'a>,
    ) -> Self {
        Self::new(&entry.pipeline, Message::Event { event, entry }, reply, execution, CallOrigin::Event(None))
    }

    pub(crate) fn meta(&self) -> &'a Meta {
        &self.execution.env.meta
    }

    /// Whether the commit of the message has begun; `None` if no commit of its own belongs to it.
    pub(crate) fn gate(&self) -> Option<&'a CommitGate> {
        match &self.origin {
            CallOrigin::Root(gate) => Some(gate),
            CallOrigin::Nested(_) | CallOrigin::Event(_) => None,
        }
    }

    /// The event, or the request if it is still there.
    pub(crate) fn message<M: 'static>(&self) -> Option<&M> {
        match &self.message {
            Message::Request { request, .. } => request.downcast_ref::<Option<M>>()?.as_ref(),
            Message::Event { event, .. } => event.downcast_ref(),
        }
    }

    pub(crate) fn request_mut<M: 'static>(&mut self) -> Option<&mut M> {
        match &mut self.message {
            Message::Request { request, .. } => request.downcast_mut::<Option<M>>()?.as_mut(),
            Message::Event { .. } => None,
        }
    }

    /// What came of the message, once it was answered.
    pub(crate) fn reply(&self) -> Option<&dyn Reply> {
        self.answered.then_some(&*self.reply as _)
    }

    /// Whether what the message did stands, whatever middleware makes of it.
    fn committed(&self) -> Committed {
        match &self.origin {
            CallOrigin::Root(_) if self.succeeded => Committed::Yes,
            CallOrigin::Root(gate) if self.unknown.is_some() || self.is_abandoned_in_commit(gate) => Committed::Unknown,
            _ => Committed::No,
        }
    }

    fn is_abandoned_in_commit(&self, gate: &CommitGate) -> bool {
        self.attempt == Attempt::Running && gate.has_begun()
    }

    /// A copy of the request for another attempt, if it is there and idempotent.
    pub(crate) fn copy_request(&self) -> Option<Box<dyn Any + Send>> {
        let Message::Request { request, route } = &self.message else { return None };
        (route.functions.retry?.copy)(&**request)
    }

    /// Puts a copy in the place of the request, and forgets what came of it before.
    ///
    /// A copy of another message leaves nothing to handle, and so does any copy for an event.
    pub(crate) fn restore_request(&mut self, copy: &(dyn Any + Send)) {
        self.retried = true;
        self.present = match &mut self.message {
            Message::Request { request, route } => {
                route.functions.retry.is_some_and(|retry| (retry.restore)(copy, &mut **request))
            }
            Message::Event { .. } => false,
        };
        if let Some(undelivered) = self.reply.take_undelivered() {
            // A middleware tries again what is committed: nobody else will read of what was not delivered.
            log_unread(SendError::Undelivered(Box::new(undelivered)).into());
        }
        self.reply.clear();
        self.answered = false;
    }

    /// Handles the message once.
    pub(crate) async fn attempt(&mut self) {
        self.answered = false;
        if !mem::replace(&mut self.present, false) {
            return;
        }
        let begun = match self.begin() {
            MaybeReady::Ready(begun) => begun,
            MaybeReady::Pending(rest) => rest.await,
        };
        if let Err(failure) = begun {
            return self.fail(failure);
        }
        let mut running = RunningAttempt(self);
        let Self { message, reply, execution, .. } = &mut *running.0;
        let succeeded = match message {
            Message::Request { request, route } => route.attempt(&mut **request, *reply, execution).await,
            Message::Event { event, entry } => reply.put_event_result(entry.attempt(*event, execution).await),
        };
        let committing = match running.0.end_attempt(succeeded) {
            MaybeReady::Ready(committing) => committing,
            MaybeReady::Pending(rest) => rest.await,
        };
        let ended = match committing {
            Ok(MaybeReady::Ready(ended)) => ended,
            Ok(MaybeReady::Pending(commit)) => running.commit(commit).await,
            Err(failure) => Err(failure),
        };
        running.over(succeeded, ended);
    }

    fn begin(&mut self) -> MaybeReady<'_, Result<(), Failure>> {
        match &mut self.origin {
            CallOrigin::Root(_) if self.attempt != Attempt::Idle => MaybeReady::pending(async move {
                self.undo().await;
                self.attempt = Attempt::Running;
                Ok(())
            }),
            CallOrigin::Root(_) => {
                self.attempt = Attempt::Running;
                MaybeReady::Ready(Ok(()))
            }
            CallOrigin::Event(checkpoint) => {
                *checkpoint = Some(self.execution.unit.mark_event());
                self.attempt = Attempt::Running;
                MaybeReady::Ready(Ok(()))
            }
            CallOrigin::Nested(checkpoint) => {
                if checkpoint.is_none() {
                    *checkpoint = self.execution.unit.mark_at_once();
                }
                match checkpoint.is_some() && self.attempt == Attempt::Idle {
                    true => MaybeReady::Ready(self.go_deeper()),
                    false => MaybeReady::pending(self.begin_nested_in_time()),
                }
            }
        }
    }

    async fn begin_nested_in_time(&mut self) -> Result<(), Failure> {
        self.undo().await;
        if let CallOrigin::Nested(checkpoint @ None) = &mut self.origin {
            *checkpoint = Some(self.execution.unit.mark().await.map_err(SendError::Scope)?);
        }
        self.go_deeper()
    }

    fn go_deeper(&mut self) -> Result<(), Failure> {
        let limits = self.execution.env.mediator.0.cascade_limits;
        let deeper = self.execution.unit.deeper(self.pipeline.info.message, limits);
        deeper.map_err(|(message, limit)| SendError::Cascade { message, limit })?;
        self.attempt = Attempt::Running;
        Ok(())
    }

    /// What follows the handler, up to the begin of the commit.
    fn end_attempt(&mut self, succeeded: bool) -> MaybeReady<'_, Result<Commit, Failure>> {
        match &self.origin {
            CallOrigin::Root(_) if self.execution.unit.is_untouched() => {
                MaybeReady::Ready(Ok(MaybeReady::Ready(Ok(()))))
            }
            CallOrigin::Root(gate) => self.execution.reborrow().end(succeeded, Some(gate)),
            CallOrigin::Nested(_) if !succeeded => MaybeReady::pending(async move {
                self.undo().await;
                Ok(MaybeReady::Ready(Ok(())))
            }),
            CallOrigin::Nested(_) | CallOrigin::Event(_) => MaybeReady::Ready(Ok(MaybeReady::Ready(Ok(())))),
        }
    }

    /// Undoes what an attempt left behind, if it left anything.
    async fn undo(&mut self) {
        match &mut self.origin {
            CallOrigin::Root(gate) => {
                if self.attempt == Attempt::Running && gate.has_begun() {
                    self.unknown = Some(GIVEN_UP.to_owned());
                    self.commit = None;
                }
                self.execution.unit.fail().await;
                self.execution.unit.reset();
                gate.reset();
            }
            CallOrigin::Nested(Some(checkpoint)) if self.attempt != Attempt::Idle => {
                // Whoever gives up half way leaves no success behind.
                self.attempt = Attempt::Running;
                self.execution.unit.undo(checkpoint).await;
            }
            CallOrigin::Nested(_) | CallOrigin::Event(_) => {}
        }
        self.attempt = Attempt::Idle;
    }

    // --- The end. ---

    /// Sees to it that the message is answered, that a nested one is kept or undone, and that nothing is left half done.
    pub(crate) fn end(&mut self) -> MaybeReady<'_, ()> {
        match &self.origin {
            // A middleware has dropped or forgotten the future of an attempt.
            CallOrigin::Root(_) if self.attempt == Attempt::Running => MaybeReady::pending(async move {
                self.undo().await;
                self.answer_truly();
            }),
            CallOrigin::Event(Some(checkpoint)) if self.attempt != Attempt::Succeeded => {
                // A middleware may have answered in the place of a handler that failed or was given up.
                self.execution.unit.skip_event(checkpoint);
                self.answer_truly();
                MaybeReady::Ready(())
            }
            CallOrigin::Root(_) | CallOrigin::Event(_) | CallOrigin::Nested(None) => {
                self.answer_truly();
                MaybeReady::Ready(())
            }
            CallOrigin::Nested(Some(checkpoint)) => {
                let nothing_to_release = !checkpoint.has_savepoint();
                self.answer_truly();
                let succeeded = matches!(self.reply.view(), ReplyView::Succeeded);
                if succeeded && nothing_to_release && self.attempt == Attempt::Succeeded {
                    self.close();
                    return MaybeReady::Ready(());
                }
                MaybeReady::pending(self.keep_or_undo(succeeded))
            }
        }
    }

    /// After another attempt, the middleware further out must see what the sender will get.
    #[inline]
    pub(crate) fn answered_by_middleware(&mut self) {
        if self.retried && self.answered {
            self.answer_truly();
        }
    }

    /// Whatever middleware, or a later attempt, made of it: the answer says what is, or may be, committed.
    fn answer_truly(&mut self) {
        let afterwards = match self.reply().map_or(ReplyView::Unanswered, Reply::view) {
            ReplyView::Failed { error, committed: Committed::No, .. } if self.committed() != Committed::No => {
                Chain(error).to_string()
            }
            ReplyView::Succeeded | ReplyView::Failed { .. } => return,
            ReplyView::Unanswered => "the message came back without an answer".to_owned(),
        };
        let answer = match self.committed() {
            // Perhaps no middleware refused it: a later attempt failed.
            Committed::Unknown => self.in_doubt(afterwards),
            Committed::Yes | Committed::No => self.rejected(self.pipeline.outermost(), afterwards.into()),
        };
        self.fail(answer.into());
    }

    /// Keeps what a nested request did that succeeded, and undoes the rest.
    async fn keep_or_undo(&mut self, succeeded: bool) {
        // A middleware may have answered in the place of an attempt that failed.
        if !succeeded || self.attempt == Attempt::Running {
            self.undo().await;
        }
        let CallOrigin::Nested(Some(checkpoint)) = &mut self.origin else { return };
        // Who gives up now, drops an attempt that is not idle.
        let kept = self.execution.unit.keep(checkpoint).await;
        self.attempt = Attempt::Idle;
        if let (true, Err(error)) = (succeeded, kept) {
            self.fail(SendError::Scope(error).into());
        }
        self.close();
    }

    /// Leaves a nested request, whose work is kept or undone.
    fn close(&mut self) {
        self.attempt = Attempt::Idle;
        if let CallOrigin::Nested(checkpoint) = &mut self.origin
            && let Some(checkpoint) = checkpoint.take()
        {
            self.execution.unit.close(&checkpoint);
        }
    }
}

impl Drop for Invocation<'_> {
    /// For a nested request whose future is dropped.
    fn drop(&mut self) {
        let CallOrigin::Nested(Some(checkpoint)) = &self.origin else { return };
        if self.attempt != Attempt::Idle {
            self.execution.unit.undo_at_once(checkpoint);
        }
        self.execution.unit.close(checkpoint);
    }
}

/// What is said of a commit whose outcome nobody has waited for.
const GIVEN_UP: &str = "the message was given up while its commit was under way";

/// An attempt that is under way; dropping it gives it up.
struct RunningAttempt<'i, 'a>(&'i mut Invocation<'a>);

impl RunningAttempt<'_, '_> {
    /// Waits for the commit. The invocation keeps it, so that nobody waits for it who has forgotten this attempt.
    async fn commit(&mut self, commit: BoxFuture<'static, Result<(), Failure>>) -> Result<(), Failure> {
        let commit = self.0.commit.insert(commit);
        let ended = commit.await;
        self.0.commit = None;
        ended
    }

    fn over(self, succeeded: bool, ended: Result<(), Failure>) {
        let Invocation { attempt, reply, answered, succeeded: ever, execution, origin, unknown, .. } = &mut *self.0;
        let committed = match &ended {
            Ok(()) if succeeded => Committed::Yes,
            Ok(()) => Committed::No,
            Err(failure) => failure.committed(),
        };
        if committed == Committed::Unknown
            && let Err(failure) = &ended
        {
            *unknown = Some(Chain(&**failure).to_string());
        }
        *ever |= committed == Committed::Yes;
        *attempt = if committed == Committed::Yes { Attempt::Succeeded } else { Attempt::Idle };
        *answered = true;
        match origin {
            CallOrigin::Root(gate) if committed != Committed::Yes => {
                execution.unit.reset();
                gate.reset();
            }
            CallOrigin::Nested(Some(checkpoint)) => execution.unit.return_to(checkpoint),
            _ => {}
        }
        reply.ended(ended);
    }
}

impl Drop for RunningAttempt<'_, '_> {
    fn drop(&mut self) {
        let Invocation { attempt: Attempt::Running, execution, origin, .. } = &mut *self.0 else { return };
        match origin {
            CallOrigin::Root(gate) if gate.has_begun() => {}
            CallOrigin::Root(_) => execution.unit.reset(),
            CallOrigin::Nested(Some(checkpoint)) => execution.unit.return_to(checkpoint),
            CallOrigin::Nested(None) | CallOrigin::Event(_) => {}
        }
    }
}
