//! What does not depend on a request's type on its way from its sender to its handler and back.

use tokio::sync::{Mutex, MutexGuard};

use super::Mediator;
use super::dispatch::{Failure, Origin, Run};
use super::running::Entered;
use super::soon::Soon;
use super::unit::{Mark, Unit};
use crate::middleware::Committing;
use crate::{BoxFuture, Meta, SendError};

/// A request that is on its way, with all its middleware and attempts.
#[derive(Clone, Copy)]
pub(super) enum Journey<'j, 'a> {
    Outside(&'j Root<'a>),
    Nested(&'j Nested<'a>),
}

impl<'j, 'a> Journey<'j, 'a> {
    #[inline]
    pub(super) fn meta(self) -> &'j Meta {
        match self {
            Self::Outside(root) => &root.origin.meta,
            Self::Nested(nested) => nested.meta,
        }
    }

    /// Whether the message is committing; `None` if no commit of its own belongs to it.
    #[inline]
    pub(super) fn committing(self) -> Option<&'j Committing> {
        match self {
            Self::Outside(root) => Some(&root.committing),
            Self::Nested(_) => None,
        }
    }

    /// Begins to handle the request once; `unit` is new, and for a request from outside.
    #[inline]
    pub(super) fn attempt(self, unit: &'j mut Unit, request: &'static str) -> Soon<'j, Attempt<'j, 'a>> {
        match self {
            Self::Outside(root) => {
                // The attempt before may have been given up while it committed.
                root.committing.reset();
                Soon::Now(Attempt::Outside { root, unit })
            }
            Self::Nested(nested) => nested.attempt(request),
        }
    }
}

/// A request from outside, on its way.
pub(super) struct Root<'a> {
    origin: Origin<'a>,
    committing: Committing,
    _running: Entered<&'a Mediator>,
}

impl<'a> Root<'a> {
    #[inline]
    pub(super) fn new(origin: Origin<'a>, running: Entered<&'a Mediator>) -> Self {
        Self { origin, committing: Committing::default(), _running: running }
    }
}

/// A request of a handler's, on its way.
pub(super) struct Nested<'a> {
    meta: &'a Meta,
    // A mutex, because a middleware may let the request be handled several times, one after the other: each attempt
    // borrows the unit for its time. It is never waited for.
    attempts: Mutex<Attempts<'a>>,
}

impl<'a> Nested<'a> {
    /// One that is yet to begin, where it stays: to move it costs more than most of what it does.
    pub(super) fn new(run: Run<'a>) -> Self {
        Self { meta: run.meta(), attempts: Mutex::new(Attempts::new(run)) }
    }

    fn attempt(&self, request: &'static str) -> Soon<'_, Attempt<'_, 'a>> {
        if let Ok(mut attempts) = self.attempts.try_lock()
            && attempts.begins_at_once()
        {
            return NestedAttempt::go_deeper(attempts, request).into();
        }
        Soon::later(async move {
            let mut attempts = self.attempts.lock().await;
            attempts.undo().await;
            attempts.mark().await?;
            NestedAttempt::go_deeper(attempts, request)
        })
    }

    /// Keeps what a nested request did that succeeded, and undoes the rest.
    pub(super) fn end(&self, succeeded: bool) -> Soon<'_, ()> {
        let Self { attempts, .. } = self;
        if let Ok(mut attempts) = attempts.try_lock()
            && succeeded
            && attempts.last == LastAttempt::Succeeded
            && !attempts.mark.as_ref().is_some_and(Mark::has_savepoint)
        {
            attempts.last = LastAttempt::Undone;
            return Soon::Now(());
        }
        Soon::later(async move {
            let mut attempts = attempts.lock().await;
            // A middleware may have answered in the place of an attempt that failed.
            if !succeeded || attempts.last == LastAttempt::Unfinished {
                attempts.undo().await;
            }
            let Attempts { run, mark, last } = &mut *attempts;
            *last = LastAttempt::Undone;
            match mark {
                Some(mark) => Ok(run.unit.keep(mark).await.map_err(SendError::Scope)?),
                None => Ok(()),
            }
        })
    }
}

/// The attempts at a nested request.
pub(super) struct Attempts<'a> {
    run: Run<'a>,
    // Where the first one began; a middleware may also answer without any.
    mark: Option<Mark>,
    last: LastAttempt,
}

/// What came of the attempt before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastAttempt {
    /// There is nothing that it left behind: it was undone, or there was none.
    Undone,
    /// It is running, or its future was dropped.
    Unfinished,
    Succeeded,
}

impl<'a> Attempts<'a> {
    fn new(run: Run<'a>) -> Self {
        Self { run, mark: None, last: LastAttempt::Undone }
    }

    /// Whether there is nothing to wait for before an attempt; then it is marked where that begins.
    fn begins_at_once(&mut self) -> bool {
        if self.mark.is_none() {
            self.mark = self.run.unit.mark_at_once();
        }
        self.mark.is_some() && self.last == LastAttempt::Undone
    }

    async fn mark(&mut self) -> Result<(), Failure> {
        if self.mark.is_none() {
            self.mark = Some(self.run.unit.mark().await.map_err(SendError::Scope)?);
        }
        Ok(())
    }

    async fn undo(&mut self) {
        if let Some(mark) = &mut self.mark
            && self.last != LastAttempt::Undone
        {
            self.run.unit.undo(mark).await;
            self.last = LastAttempt::Undone;
        }
    }
}

impl Drop for Attempts<'_> {
    /// For a request whose future is dropped.
    fn drop(&mut self) {
        if let Some(mark) = &self.mark
            && self.last != LastAttempt::Undone
        {
            self.run.unit.undo_at_once(mark);
        }
    }
}

/// A request while it is handled, with all that belongs to it: for one from outside, the events and the commit.
pub(super) enum Attempt<'j, 'a> {
    Outside { root: &'j Root<'a>, unit: &'j mut Unit },
    Nested(NestedAttempt<'j, 'a>),
}

/// One level deeper, until it is dropped.
pub(super) struct NestedAttempt<'j, 'a>(MutexGuard<'j, Attempts<'a>>);

impl Attempt<'_, '_> {
    pub(super) fn run(&mut self) -> Run<'_> {
        match self {
            Self::Outside { root, unit } => Run { origin: &root.origin, unit },
            Self::Nested(nested) => nested.0.run.reborrow(),
        }
    }

    /// Ends what could not even begin; the answer is why.
    pub(super) fn give_up(&mut self, why: Failure) -> BoxFuture<'_, Failure> {
        Box::pin(async move {
            if let Soon::Later(rest) = self.end(false) {
                rest.await.ok();
            }
            why
        })
    }

    /// What follows the handler: the same for every message.
    pub(super) fn end(&mut self, succeeded: bool) -> Soon<'_, ()> {
        match self {
            Self::Outside { unit, .. } if unit.is_untouched() => Soon::Now(()),
            Self::Outside { root, unit } => Run { origin: &root.origin, unit }.end(succeeded, Some(&root.committing)),
            Self::Nested(nested) if succeeded => {
                nested.0.last = LastAttempt::Succeeded;
                Soon::Now(())
            }
            Self::Nested(nested) => Soon::later(async move {
                nested.0.undo().await;
                Ok(())
            }),
        }
    }
}

impl<'j, 'a> NestedAttempt<'j, 'a> {
    fn go_deeper(
        mut attempts: MutexGuard<'j, Attempts<'a>>,
        request: &'static str,
    ) -> Result<Attempt<'j, 'a>, Failure> {
        let limits = attempts.run.origin.mediator.0.cascade_limits;
        let deeper = attempts.run.unit.deeper(request, limits);
        deeper.map_err(|(message, limit)| SendError::Cascade { message, limit })?;
        attempts.last = LastAttempt::Unfinished;
        Ok(Attempt::Nested(Self(attempts)))
    }
}

impl Drop for NestedAttempt<'_, '_> {
    fn drop(&mut self) {
        self.0.run.unit.shallower();
    }
}
