use std::fmt;
use std::mem;

use smallvec::SmallVec;

use crate::container::{Closing, Container, Opening, Outcome, Scope};
use crate::event::Emitted;
use crate::{BoxError, Meta};

/// How deep events and nested sends may cause each other.
const MAX_DEPTH: u16 = 64;
/// How many events one unit of work may emit.
const MAX_EVENTS: usize = 10_000;

/// The bound that a cascade of messages ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CascadeLimit {
    /// A message caused a message that caused a message, and so on: 64 levels.
    Depth,
    /// One unit of work emitted 10,000 events.
    Events,
}

impl fmt::Display for CascadeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth => write!(f, "messages cause each other more than {MAX_DEPTH} levels deep"),
            Self::Events => write!(f, "one message caused more than {MAX_EVENTS} events"),
        }
    }
}

/// What belongs to one message from outside: its events and its scope.
///
/// Dropping it drops the scope, which then rolls back.
#[derive(Default)]
pub(crate) struct Unit {
    // All events that were emitted, in order; those that are done are `None`, so that places stay what they are.
    events: SmallVec<[Queued; 1]>,
    scope: Option<Box<dyn Scope>>,
    depth: u16,
    rollback_only: bool,
    runaway: Option<(&'static str, CascadeLimit)>,
}

struct Queued {
    event: Option<Emitted>,
    depth: u16,
}

impl Unit {
    /// A unit for what another one caused, so that the limits hold across the commit.
    pub(crate) fn at_depth(depth: u16) -> Self {
        Self { depth, ..Self::default() }
    }

    pub(crate) fn depth(&self) -> u16 {
        self.depth
    }

    /// Whether nothing has to follow the handler.
    #[inline]
    pub(crate) fn is_untouched(&self) -> bool {
        self.events.is_empty() && self.scope.is_none() && self.runaway.is_none()
    }

    pub(crate) fn emit(&mut self, event: Emitted) {
        let depth = self.depth + 1;
        match () {
            () if depth > MAX_DEPTH => self.run_away(&event, CascadeLimit::Depth),
            () if self.events.len() >= MAX_EVENTS => self.run_away(&event, CascadeLimit::Events),
            () => self.events.push(Queued { event: Some(event), depth }),
        }
    }

    fn run_away(&mut self, event: &Emitted, limit: CascadeLimit) {
        self.runaway.get_or_insert((event.pending().name(), limit));
    }

    pub(crate) fn runaway(&self) -> Option<(&'static str, CascadeLimit)> {
        self.runaway
    }

    pub(crate) fn is_rollback_only(&self) -> bool {
        self.rollback_only
    }

    /// Takes the event at a place out, to be handled; `None` after the last place.
    ///
    /// What its handlers emit is one level deeper than the event.
    pub(crate) fn take_event(&mut self, place: usize) -> Option<Option<Emitted>> {
        let queued = self.events.get_mut(place)?;
        self.depth = queued.depth;
        Some(queued.event.take())
    }

    /// Puts an event back that still waits for the commit.
    pub(crate) fn put_back(&mut self, place: usize, event: Emitted) {
        if let Some(queued) = self.events.get_mut(place) {
            queued.event = Some(event);
        }
    }

    /// All events that wait for the commit, in the order in which they were emitted.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Emitted> {
        self.events.iter().filter_map(|queued| queued.event.as_ref())
    }

    pub(crate) fn take_waiting(&mut self) -> Vec<Emitted> {
        mem::take(&mut self.events).into_iter().filter_map(|queued| queued.event).collect()
    }

    /// The scope, opened when it is first asked for.
    pub(crate) async fn scope(&mut self, container: &dyn Container, meta: &Meta) -> Result<&dyn Scope, BoxError> {
        let scope = match self.scope.take() {
            Some(open) => open,
            None => match container.open(meta) {
                Opening::Ready(opened) => opened?,
                Opening::Pending(opening) => opening.await?,
            },
        };
        Ok(&**self.scope.insert(scope))
    }

    /// Begins to close the scope as a success, if there is one.
    pub(crate) fn commit(&mut self) -> Closing {
        match self.scope.take() {
            Some(scope) => scope.close(Outcome::Success),
            None => Closing::Ready(Ok(())),
        }
    }

    /// Drops the events and closes the scope as a failure.
    pub(crate) async fn fail(&mut self) {
        self.events.clear();
        let Some(scope) = self.scope.take() else { return };
        let closed = match scope.close(Outcome::Failure) {
            Closing::Ready(closed) => closed,
            Closing::Pending(closing) => closing.await,
        };
        if let Err(error) = closed {
            let error = error.into_source();
            tracing::warn!(error = &*error as &dyn std::error::Error, "a scope could not roll back");
        }
    }

    /// Begins a nested message.
    pub(crate) fn nest(&mut self, message: &'static str) -> Result<Nested<'_>, (&'static str, CascadeLimit)> {
        if self.depth >= MAX_DEPTH {
            return Err((message, CascadeLimit::Depth));
        }
        self.depth += 1;
        Ok(Nested { mark: self.events.len(), unit: self, succeeded: false })
    }
}

/// A nested message that is running; unless it succeeds, what it did is undone.
///
/// A guard, so that a nested message whose future is dropped is covered too.
pub(crate) struct Nested<'a> {
    pub(crate) unit: &'a mut Unit,
    mark: usize,
    succeeded: bool,
}

impl Nested<'_> {
    pub(crate) fn succeed(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        self.unit.depth -= 1;
        if !self.succeeded {
            self.unit.events.truncate(self.mark);
            // Without a scope there is nothing that could be half done.
            self.unit.rollback_only |= self.unit.scope.is_some();
        }
    }
}
