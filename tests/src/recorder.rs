use std::any::TypeId;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diator::container::{
    Closing, CommitError, CommitOutcome, Container, DependencyKey, Lifetime, Opening, Outcome, Resolving, Scope,
    ServiceSlot,
};
use diator::{BoxError, MessageKind, Meta};
use diator_testkit::yields;

use crate::journal::{Ending, Entry, Journal, ScopeId};

/// A container that writes into a [`Journal`] what is asked of it, and fails or takes its time as it is told.
///
/// It has three services: the [`Journal`], a singleton; a [`Transaction`], scoped unless
/// [`with_singletons_only`](Self::with_singletons_only) was said; and a [`SideLedger`], always scoped. Clones are the
/// same container.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    journal: Journal,
    scoped: bool,
    next_scope: AtomicUsize,
    manner: Mutex<Manner>,
    opened_for: Mutex<Vec<Option<String>>>,
    opened_as: Mutex<Vec<MessageKind>>,
}

/// How the container behaves.
#[derive(Clone, Copy, Default)]
struct Manner {
    open: Pace,
    resolve: Pace,
    close: Pace,
    open_fails: bool,
    resolve_fails: bool,
    commit_fails: Option<CommitOutcome>,
    commit_panics: bool,
}

/// How long something takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// It answers at once.
    #[default]
    AtOnce,
    /// It answers with a future, which is pending so many times.
    Yielding(usize),
}

/// What most handlers depend on: stands for a database transaction.
#[derive(Debug)]
pub struct Transaction {
    /// The scope that it belongs to; `None` where it is a singleton.
    pub scope: Option<ScopeId>,
}

/// A service that is scoped whatever the container was told.
#[derive(Debug)]
pub struct SideLedger {
    /// The scope that it belongs to.
    pub scope: ScopeId,
}

impl Recorder {
    /// A container whose transactions are scoped, and which answers at once.
    #[must_use]
    pub fn new(journal: Journal) -> Self {
        Self::build(journal, true)
    }

    /// A container with one transaction for the whole program.
    #[must_use]
    pub fn with_singletons_only(journal: Journal) -> Self {
        Self::build(journal, false)
    }

    fn build(journal: Journal, scoped: bool) -> Self {
        Self(Arc::new(Shared {
            journal,
            scoped,
            next_scope: AtomicUsize::new(0),
            manner: Mutex::default(),
            opened_for: Mutex::default(),
            opened_as: Mutex::default(),
        }))
    }

    /// Takes so long to open a scope.
    pub fn open(&self, pace: Pace) {
        self.manner().open = pace;
    }

    /// Takes so long to resolve a service.
    pub fn resolve(&self, pace: Pace) {
        self.manner().resolve = pace;
    }

    /// Takes so long to close a scope, whatever the outcome.
    pub fn close(&self, pace: Pace) {
        self.manner().close = pace;
    }

    /// Opens no scope from now on.
    pub fn fail_to_open(&self) {
        self.manner().open_fails = true;
    }

    /// Resolves no scoped service from now on.
    pub fn fail_to_resolve(&self) {
        self.manner().resolve_fails = true;
    }

    /// Commits nothing from now on, and says so.
    pub fn fail_to_commit(&self, outcome: CommitOutcome) {
        self.manner().commit_fails = Some(outcome);
    }

    /// Panics at every commit from now on.
    pub fn panic_at_commit(&self) {
        self.manner().commit_panics = true;
    }

    /// Fails no more; how long things take stays as it is.
    pub fn recover(&self) {
        let mut manner = self.manner();
        *manner = Manner { open: manner.open, resolve: manner.resolve, close: manner.close, ..Manner::default() };
    }

    /// The traces of the messages for which it was asked to open a scope.
    #[must_use]
    pub fn opened_for(&self) -> Vec<Option<String>> {
        lock(&self.0.opened_for).clone()
    }

    /// The kinds of message for which it was asked to open a scope.
    #[must_use]
    pub fn opened_as(&self) -> Vec<MessageKind> {
        lock(&self.0.opened_as).clone()
    }

    fn manner(&self) -> MutexGuard<'_, Manner> {
        lock(&self.0.manner)
    }

    fn open_scope(&self) -> Result<Box<dyn Scope>, BoxError> {
        if self.manner().open_fails {
            return Err("no connection is left".into());
        }
        let id = self.0.next_scope.fetch_add(1, Ordering::Relaxed);
        self.0.journal.write(Entry::Opened(id));
        let container = self.clone();
        let transaction = Arc::new(Transaction { scope: Some(id) });
        Ok(Box::new(RecordedScope { container, id, transaction, commit_begun: false, ended: false }))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Container for Recorder {
    fn lifetime(&self, key: &DependencyKey) -> Lifetime {
        match key.id() {
            id if id == TypeId::of::<Journal>() => Lifetime::Singleton,
            id if id == TypeId::of::<Transaction>() && !self.0.scoped => Lifetime::Singleton,
            id if id == TypeId::of::<Transaction>() || id == TypeId::of::<SideLedger>() => Lifetime::Scoped,
            _ => Lifetime::Missing,
        }
    }

    fn singleton(&self, key: &DependencyKey, mut into: ServiceSlot<'_>) -> Result<(), BoxError> {
        match key.id() {
            id if id == TypeId::of::<Journal>() => into.put(Arc::new(self.0.journal.clone())),
            id if id == TypeId::of::<Transaction>() => into.put(Arc::new(Transaction { scope: None })),
            _ => Err(format!("`{}` is no singleton", key.name()).into()),
        }
    }

    fn open<'a>(&'a self, meta: &'a Meta, kind: MessageKind) -> Opening<'a> {
        // The trace, and not an id: asking for an id would draw one.
        lock(&self.0.opened_as).push(kind);
        lock(&self.0.opened_for).push(meta.traceparent().map(str::to_owned));
        let pace = self.manner().open;
        match pace {
            Pace::AtOnce => Opening::Ready(self.open_scope()),
            Pace::Yielding(times) => Opening::Pending(Box::pin(async move {
                yields(times).await;
                self.open_scope()
            })),
        }
    }
}

/// A scope that notices how it ends.
struct RecordedScope {
    container: Recorder,
    id: ScopeId,
    transaction: Arc<Transaction>,
    commit_begun: bool,
    ended: bool,
}

impl RecordedScope {
    fn write(&self, entry: Entry) {
        self.container.0.journal.write(entry);
    }

    fn end(&mut self, ending: Ending) {
        self.ended = true;
        self.write(Entry::Ended(self.id, ending));
    }

    fn put(&self, key: &DependencyKey, mut into: ServiceSlot<'_>) -> Result<(), BoxError> {
        if self.container.lifetime(key) == Lifetime::Singleton {
            return self.container.singleton(key, into);
        }
        self.write(Entry::Resolved(self.id, key.name()));
        if self.container.manner().resolve_fails {
            return Err("the connection broke".into());
        }
        match key.id() {
            id if id == TypeId::of::<Transaction>() => into.put(self.transaction.clone()),
            id if id == TypeId::of::<SideLedger>() => into.put(Arc::new(SideLedger { scope: self.id })),
            _ => Err(format!("there is no `{}`", key.name()).into()),
        }
    }

    fn finish(&mut self, outcome: Outcome) -> Result<(), CommitError> {
        let Manner { commit_fails, commit_panics, .. } = *self.container.manner();
        assert!(outcome == Outcome::Failure || !commit_panics, "the commit panics");
        let (ending, result) = match (outcome, commit_fails) {
            (Outcome::Failure, _) => (Ending::RolledBack, Ok(())),
            (Outcome::Success, None) => (Ending::Committed, Ok(())),
            (Outcome::Success, Some(CommitOutcome::RolledBack)) => {
                (Ending::CommitFailed, Err(CommitError::rolled_back("a constraint was violated")))
            }
            (Outcome::Success, Some(_)) => (Ending::CommitFailed, Err(CommitError::unknown("the connection broke"))),
        };
        self.end(ending);
        result
    }
}

impl Scope for RecordedScope {
    fn resolve<'a>(&'a self, key: &DependencyKey, _: &'a Meta, into: ServiceSlot<'a>) -> Resolving<'a> {
        let (pace, key) = (self.container.manner().resolve, *key);
        match pace {
            Pace::AtOnce => Resolving::Ready(self.put(&key, into)),
            Pace::Yielding(times) => Resolving::Pending(Box::pin(async move {
                yields(times).await;
                self.put(&key, into)
            })),
        }
    }

    fn close(mut self: Box<Self>, outcome: Outcome) -> Closing {
        if outcome == Outcome::Success {
            self.commit_begun = true;
            self.write(Entry::CommitBegun(self.id));
        }
        let pace = self.container.manner().close;
        match pace {
            Pace::AtOnce => Closing::Ready(self.finish(outcome)),
            Pace::Yielding(times) => Closing::Pending(Box::pin(async move {
                yields(times).await;
                self.finish(outcome)
            })),
        }
    }
}

impl Drop for RecordedScope {
    fn drop(&mut self) {
        if !self.ended {
            self.end(if self.commit_begun { Ending::Interrupted } else { Ending::Dropped });
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("journal", &self.0.journal).finish_non_exhaustive()
    }
}
