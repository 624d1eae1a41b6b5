//! What does not depend on a request's type on its way from its sender to its handler and back.

use tokio::sync::{Mutex, MutexGuard};

use super::dispatch::{Failure, Root, Run};
use super::soon::Soon;
use super::unit::{Mark, Unit};
use crate::{BoxFuture, Meta, SendError};

/// A request that is on its way, with all its middleware and attempts.
#[derive(Clone, Copy)]
pub(super) enum Journey<'j, 'a> {
    Outside(&'j Root<'a>),
    Nested(&'j Nested<'a>),
}

impl<'j, 'a> Journey<'j, 'a> {
    /// Begins to handle the request once; `unit` is new, and for a request from outside.
    #[inline]
    pub(super) fn attempt(self, unit: &'j mut Unit, request: &'static str) -> Soon<'j, Attempt<'j, 'a>> {
        match self {
            Self::Outside(root) => {
                // The attempt before may have been given up while it committed.
                root.committing.reset();
                Soon::Now(Attempt::Outside { root, unit })
            }
            Self::Nested(nested) => NestedAttempt::begin(&nested.attempts, request),
        }
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
        Self { meta: run.meta, attempts: Mutex::new(Attempts::new(run)) }
    }

    pub(super) fn meta(&self) -> &'a Meta {
        self.meta
    }

    pub(super) fn begin(&mut self) -> Soon<'_, ()> {
        self.attempts.get_mut().begin()
    }

    /// Keeps what a nested request did that succeeded, and undoes the rest.
    pub(super) fn end(&self, succeeded: bool) -> Soon<'_, ()> {
        let Self { attempts, .. } = self;
        if let Ok(mut attempts) = attempts.try_lock()
            && succeeded
            && attempts.last == LastAttempt::Succeeded
            && !attempts.mark.has_savepoint()
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
            let kept = run.unit.keep(mark).await;
            *last = LastAttempt::Undone;
            kept.map_err(SendError::Scope)
        })
    }
}

/// The attempts at a nested request.
pub(super) struct Attempts<'a> {
    run: Run<'a>,
    mark: Mark,
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
        Self { run, mark: Mark::default(), last: LastAttempt::Undone }
    }

    fn begin(&mut self) -> Soon<'_, ()> {
        if let Some(mark) = self.run.unit.mark_at_once() {
            self.mark = mark;
            return Soon::Now(());
        }
        Soon::later(async move {
            self.mark = self.run.unit.mark().await.map_err(SendError::Scope)?;
            Ok(())
        })
    }

    async fn undo(&mut self) {
        if self.last != LastAttempt::Undone {
            self.run.unit.undo(&mut self.mark).await;
            self.last = LastAttempt::Undone;
        }
    }
}

impl Drop for Attempts<'_> {
    /// For a request whose future is dropped.
    fn drop(&mut self) {
        if self.last != LastAttempt::Undone {
            self.run.unit.undo_at_once(&self.mark);
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
            Self::Outside { root, unit, .. } => root.run(unit),
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
            Self::Outside { root, unit } => root.end(unit, succeeded, Some(&root.committing)),
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
    fn begin(attempts: &'j Mutex<Attempts<'a>>, request: &'static str) -> Soon<'j, Attempt<'j, 'a>> {
        match attempts.try_lock() {
            Ok(attempts) if attempts.last == LastAttempt::Undone => Self::go_deeper(attempts, request).into(),
            _ => Soon::later(async move {
                let mut attempts = attempts.lock().await;
                attempts.undo().await;
                Self::go_deeper(attempts, request)
            }),
        }
    }

    fn go_deeper(
        mut attempts: MutexGuard<'j, Attempts<'a>>,
        request: &'static str,
    ) -> Result<Attempt<'j, 'a>, Failure> {
        let deeper = attempts.run.unit.deeper(request);
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
