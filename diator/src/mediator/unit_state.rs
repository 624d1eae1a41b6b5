use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use smallvec::SmallVec;
use tokio::sync::watch;

use crate::cascade::{CascadeLimit, CascadeLimits};
use crate::container::{Closing, Container, Opening, Outcome, Savepoint, Scope};
use crate::error::Failure;
use crate::event::Emitted;
use crate::maybe_ready::MaybeReady;
use crate::message::MessageKind;
use crate::{BoxError, Meta, SendError};

/// What belongs to one message from outside: its events and its scope.
///
/// Dropping it drops the scope, which then rolls back.
///
/// # Guarantees
///
/// - `touched` is set before anything is filled that has to be dropped: forgetting an untouched unit of work leaks nothing.
/// - An event keeps its place until the commit; undoing cuts off the places after the checkpoint.
/// - Once `rollback_only` is set, only `reset` takes it back, with the scope.
pub(crate) struct UnitState {
    // Whether there is, or was, anything in it: one question instead of one for each field.
    touched: bool,
    // All events that were emitted, in order; those that are done are `None`, so that places stay what they are.
    events: SmallVec<[Queued; 1]>,
    // Whether what is emitted now is caused by an event that the message emitted.
    in_cascade: bool,
    // How many events were caused so.
    caused: u32,
    scope: Option<Box<dyn Scope>>,
    // What the message from outside is.
    kind: MessageKind,
    depth: u32,
    // How many nested requests have begun and not ended. One whose future was forgotten never ends.
    open: u32,
    rollback_only: bool,
    // Whether middleware answered in the place of a handler of an event, which may have left something half done.
    skipped: bool,
    // In a box, because there is hardly ever one.
    runaway: Option<Box<(&'static str, CascadeLimit)>>,
    // How many events were emitted, if this is not the only unit of work that its message caused.
    total: Option<Arc<AtomicU32>>,
    // Closed when the broker has answered for the messages of the unit of work that caused this one.
    cause: Option<watch::Receiver<()>>,
}

/// What a unit of work inherits from the one that caused it, so that limits and order hold across the commit.
#[derive(Clone, Default)]
pub(crate) struct Lineage {
    depth: u32,
    total: Option<Arc<AtomicU32>>,
    cause: Option<watch::Receiver<()>>,
}

impl Lineage {
    /// That of an event that arrives: it is on the first level.
    pub(super) fn arriving() -> Self {
        Self { depth: 1, ..Self::default() }
    }

    /// Says what its messages come after.
    pub(super) fn after(self, cause: Option<watch::Receiver<()>>) -> Self {
        Self { cause, ..self }
    }
}

struct Queued {
    event: Option<Emitted>,
    depth: u32,
}

impl UnitState {
    #[inline]
    pub(crate) fn of(kind: MessageKind) -> Self {
        Self {
            touched: false,
            events: SmallVec::new(),
            in_cascade: false,
            caused: 0,
            scope: None,
            kind,
            depth: 0,
            open: 0,
            rollback_only: false,
            skipped: false,
            runaway: None,
            total: None,
            cause: None,
        }
    }

    pub(crate) fn caused_by(Lineage { depth, total, cause }: Lineage, kind: MessageKind) -> Self {
        let touched = total.is_some() || cause.is_some();
        Self { touched, depth, in_cascade: depth > 0, total, cause, ..Self::of(kind) }
    }

    /// What its messages come after.
    pub(super) fn cause(&self) -> Option<watch::Receiver<()>> {
        self.cause.clone()
    }

    /// Whether nothing has to follow the handler, and nothing has to be dropped.
    ///
    /// The compiler cannot see the latter: who ends with such a unit of work forgets it, which spares 22 instructions.
    #[inline]
    pub(crate) fn is_untouched(&self) -> bool {
        !self.touched
    }

    /// Whether nothing has to follow the handler but the commit.
    pub(crate) fn only_commits(&self) -> bool {
        self.events.is_empty() && self.runaway.is_none() && !self.is_rollback_only()
    }

    /// Begins anew; what is left is dropped, and a scope then rolls back.
    pub(super) fn reset(&mut self) {
        *self = Self::of(self.kind);
    }

    pub(crate) fn emit(&mut self, event: Emitted, limits: CascadeLimits) {
        self.touched = true;
        let depth = self.depth + 1;
        match () {
            () if depth > limits.depth => self.run_away(&event, CascadeLimit::Depth(limits.depth)),
            // What a message emits itself is no cascade, however much it is.
            () if self.in_cascade && self.count_one() >= limits.events => {
                self.run_away(&event, CascadeLimit::Events(limits.events));
            }
            () => self.events.push(Queued { event: Some(event), depth }),
        }
    }

    /// Begins with an event that is handled at once, without a place among the others: on the first level.
    #[inline]
    pub(super) fn begin_with_event(&mut self) {
        self.depth = 1;
        self.in_cascade = true;
    }

    /// Counts an event that an event caused; the answer is how many there were before.
    fn count_one(&mut self) -> u32 {
        if let Some(total) = &self.total {
            return total.fetch_add(1, Ordering::Relaxed);
        }
        let before = self.caused;
        self.caused = before.saturating_add(1);
        before
    }

    fn run_away(&mut self, event: &Emitted, limit: CascadeLimit) {
        self.runaway.get_or_insert_with(|| Box::new((event.pending().name(), limit)));
    }

    pub(crate) fn runaway(&self) -> Option<(&'static str, CascadeLimit)> {
        self.runaway.as_deref().copied()
    }

    /// Whether there is half-done work in it that could not be undone alone.
    pub(crate) fn is_rollback_only(&self) -> bool {
        self.rollback_only || self.skipped || self.open > 0
    }

    /// Whether there is no other half-done work in it than that of a handler that was skipped.
    pub(super) fn is_only_skipped(&self) -> bool {
        self.skipped && !self.rollback_only && self.open == 0
    }

    /// Takes the event at a place out, to be handled; `None` after the last place.
    ///
    /// What its handlers emit is one level deeper than the event.
    pub(crate) fn take_event(&mut self, place: usize) -> Option<Option<Emitted>> {
        let queued = self.events.get_mut(place)?;
        self.depth = queued.depth;
        self.in_cascade = true;
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

    /// Takes those events out that have handlers which wait for the commit.
    pub(crate) fn take_waiting(&mut self) -> Vec<(Emitted, Lineage)> {
        let caused = self.caused;
        let mut waiting = Vec::new();
        for Queued { event, depth } in mem::take(&mut self.events) {
            let Some(event) = event.filter(|event| !event.pending().goes_to_the_broker()) else { continue };
            let total = self.total.get_or_insert_with(|| Arc::new(AtomicU32::new(caused))).clone();
            waiting.push((event, Lineage { depth, total: Some(total), cause: None }));
        }
        waiting
    }

    /// The scope, opened when it is first asked for.
    pub(super) fn scope<'u>(
        &'u mut self,
        container: &'u dyn Container,
        meta: &'u Meta,
    ) -> MaybeReady<'u, Result<&'u dyn Scope, Failure>> {
        self.touched = true;
        let scope = match self.scope.take() {
            Some(open) => Ok(open),
            None => match container.open(meta, self.kind) {
                Opening::Ready(opened) => opened.map_err(|error| SendError::Scope(error).into()),
                Opening::Pending(opening) => {
                    return MaybeReady::pending(async move {
                        let scope = opening.await.map_err(SendError::Scope)?;
                        Ok(&**self.scope.insert(scope))
                    });
                }
            },
        };
        MaybeReady::Ready(scope.map(|scope| &**self.scope.insert(scope)))
    }

    /// Begins to close the scope as a success, if there is one.
    pub(crate) fn commit(&mut self) -> Closing {
        match self.scope.take() {
            Some(scope) => {
                tracing::debug!(target: "diator", "commit");
                scope.close(Outcome::Success)
            }
            None => Closing::Ready(Ok(())),
        }
    }

    /// Drops the events and closes the scope as a failure.
    pub(crate) async fn fail(&mut self) {
        self.events.clear();
        self.close_as_failure().await;
    }

    async fn close_as_failure(&mut self) {
        let Some(scope) = self.scope.take() else { return };
        tracing::debug!(target: "diator", "rollback");
        let closed = match scope.close(Outcome::Failure) {
            Closing::Ready(closed) => closed,
            Closing::Pending(closing) => closing.await,
        };
        if let Err(error) = closed {
            warn(&error.into_source(), "a scope could not roll back");
        }
    }

    /// Begins a nested request, and marks the place to which it is undone if it fails: by a savepoint.
    pub(super) async fn mark(&mut self) -> Result<Checkpoint, BoxError> {
        let savepoint = match self.scope.as_ref().and_then(|scope| scope.savepoint()) {
            Some(saving) => Some(saving.await?),
            None => None,
        };
        Ok(self.checkpoint(match savepoint {
            Some(savepoint) => Place::Savepoint(Some(savepoint)),
            None => Place::Indivisible,
        }))
    }

    /// The same, if there is no savepoint to wait for.
    pub(super) fn mark_at_once(&mut self) -> Option<Checkpoint> {
        let place = match &self.scope {
            None => Place::NoScope,
            Some(scope) if scope.savepoint().is_none() => Place::Indivisible,
            Some(_) => return None,
        };
        Some(self.checkpoint(place))
    }

    fn checkpoint(&mut self, place: Place) -> Checkpoint {
        let checkpoint = Checkpoint { events: self.events.len(), depth: self.depth, open: self.open, place };
        self.open += 1;
        checkpoint
    }

    /// Undoes what was done since: what cannot be undone alone must not be committed.
    pub(crate) async fn undo(&mut self, checkpoint: &mut Checkpoint) {
        self.events.truncate(checkpoint.events);
        self.return_to(checkpoint);
        match &mut checkpoint.place {
            Place::NoScope if self.offers_savepoints() => self.close_as_failure().await,
            Place::Savepoint(Some(savepoint)) => {
                if let Err(error) = savepoint.undo().await {
                    self.rollback_only = true;
                    warn(&error, "a nested request could not be undone alone");
                }
            }
            // Without a scope there is nothing that could be half done.
            _ => self.rollback_only |= self.scope.is_some(),
        }
        // What a request within it left behind is undone with it.
        self.open = checkpoint.open + 1;
    }

    /// The same, where nothing can be awaited.
    pub(crate) fn undo_at_once(&mut self, checkpoint: &Checkpoint) {
        self.events.truncate(checkpoint.events);
        match checkpoint.place {
            Place::NoScope if self.offers_savepoints() => self.scope = None,
            _ => self.rollback_only |= self.scope.is_some(),
        }
        self.open = checkpoint.open + 1;
    }

    /// Keeps what was done since.
    pub(super) async fn keep(&mut self, checkpoint: &mut Checkpoint) -> Result<(), BoxError> {
        let Place::Savepoint(savepoint) = &mut checkpoint.place else { return Ok(()) };
        let Some(savepoint) = savepoint.take() else { return Ok(()) };
        if self.rollback_only || self.open > checkpoint.open + 1 {
            // All of it will roll back, and a savepoint that was set later may still be there.
            return Ok(());
        }
        let released = savepoint.release().await;
        self.rollback_only |= released.is_err();
        released
    }

    /// Goes back to the level of the checkpoint.
    pub(super) fn return_to(&mut self, checkpoint: &Checkpoint) {
        self.depth = checkpoint.depth;
    }

    /// Ends a nested request; one within it that was forgotten left something half done.
    pub(super) fn close(&mut self, checkpoint: &Checkpoint) {
        self.return_to(checkpoint);
        self.rollback_only |= self.open > checkpoint.open + 1;
        self.open = checkpoint.open;
    }

    /// Marks where a handler of an event begins.
    pub(super) fn mark_event(&self) -> Checkpoint {
        Checkpoint { events: self.events.len(), depth: self.depth, open: self.open, place: Place::Indivisible }
    }

    /// Drops what a handler of an event emitted; what it wrote cannot be undone alone.
    pub(super) fn skip_event(&mut self, checkpoint: &Checkpoint) {
        self.events.truncate(checkpoint.events);
        self.return_to(checkpoint);
        self.open = checkpoint.open;
        self.skipped |= self.scope.is_some();
    }

    fn offers_savepoints(&self) -> bool {
        self.scope.as_ref().is_some_and(|scope| scope.savepoint().is_some())
    }

    /// Goes one level deeper, for a nested message.
    pub(crate) fn deeper(
        &mut self,
        message: &'static str,
        limits: CascadeLimits,
    ) -> Result<(), (&'static str, CascadeLimit)> {
        if self.depth >= limits.depth {
            return Err((message, CascadeLimit::Depth(limits.depth)));
        }
        self.depth += 1;
        Ok(())
    }
}

/// Where a nested request began.
pub(crate) struct Checkpoint {
    events: usize,
    depth: u32,
    open: u32,
    place: Place,
}

impl Checkpoint {
    pub(super) fn has_savepoint(&self) -> bool {
        matches!(self.place, Place::Savepoint(Some(_)))
    }
}

/// How what was done since a checkpoint can be undone.
enum Place {
    /// There was no scope: one that is opened later belongs to the nested request alone.
    NoScope,
    /// The scope can only be undone as a whole.
    Indivisible,
    /// By a savepoint, until it is released.
    Savepoint(Option<Box<dyn Savepoint>>),
}

fn warn(error: &BoxError, what: &'static str) {
    tracing::warn!(error = &**error as &dyn std::error::Error, "{what}");
}
