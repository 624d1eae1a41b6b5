//! What does not depend on a request's type on its way from its sender to its handler and back.

use tokio::sync::{Mutex, MutexGuard};

use super::dispatch::{Dispatch, Failure, Root, Run};
use super::soon::Soon;
use super::unit::{Mark, Unit};
use crate::middleware::Committing;
use crate::{Meta, SendError};

/// Where a request comes from.
pub(crate) enum Origin<'a> {
    Outside(Dispatch<'a>),
    /// A handler.
    Nested(Run<'a>),
}

/// A request that is on its way, with all its middleware and attempts.
pub(super) enum Journey<'a> {
    Outside {
        root: Root<'a>,
        committing: Committing,
    },
    Nested {
        meta: &'a Meta,
        // A mutex, because a middleware may let the request be handled several times, one after the other: each attempt
        // borrows the unit for its time. It is never waited for.
        attempts: Mutex<Attempts<'a>>,
    },
}

impl<'a> Journey<'a> {
    /// One that is yet to begin, where it stays: to move it costs more than most of what it does.
    pub(super) fn new(origin: Origin<'a>) -> Self {
        match origin {
            Origin::Outside(dispatch) => Self::Outside { root: dispatch.root(), committing: Committing::default() },
            Origin::Nested(run) => Self::Nested { meta: run.meta, attempts: Mutex::new(Attempts::new(run)) },
        }
    }

    pub(super) fn begin(&mut self) -> Soon<'_, ()> {
        match self {
            Self::Outside { root, .. } => root.count_in().into(),
            Self::Nested { attempts, .. } => attempts.get_mut().begin(),
        }
    }

    pub(super) fn meta(&self) -> &Meta {
        match self {
            Self::Outside { root, .. } => &root.meta,
            Self::Nested { meta, .. } => meta,
        }
    }

    /// Whether the commit has begun, for a request that has one of its own.
    pub(super) fn committing(&self) -> Option<&Committing> {
        match self {
            Self::Outside { committing, .. } => Some(committing),
            Self::Nested { .. } => None,
        }
    }

    /// Begins to handle the request once; `unit` is new, and for a request from outside.
    #[inline]
    pub(super) fn attempt<'j>(&'j self, unit: &'j mut Unit, request: &'static str) -> Soon<'j, Attempt<'j, 'a>> {
        match self {
            Self::Outside { root, committing } => {
                // The attempt before may have been given up while it committed.
                committing.reset();
                Soon::Now(Attempt::Outside { root, committing, unit })
            }
            Self::Nested { attempts, .. } => NestedAttempt::begin(attempts, request),
        }
    }

    /// Keeps what a nested request did that succeeded, and undoes the rest.
    pub(super) fn end(&self, succeeded: bool) -> Soon<'_, ()> {
        let Self::Nested { attempts, .. } = self else { return Soon::Now(()) };
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
    Outside { root: &'j Root<'a>, committing: &'j Committing, unit: &'j mut Unit },
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

    /// What follows the handler: the same for every message.
    pub(super) fn end(&mut self, succeeded: bool) -> Soon<'_, ()> {
        match self {
            Self::Outside { unit, .. } if unit.is_untouched() => Soon::Now(()),
            Self::Outside { root, committing, unit } => root.end(unit, succeeded, Some(committing)),
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
