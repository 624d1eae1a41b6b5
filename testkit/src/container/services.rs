use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diator::container::{CommitError, CommitOutcome, Enlistment, Savepoints, UnitOfWork};
use diator::{BoxError, MessageKind, Meta};

/// Numbers the services that are built, and notes what happens to them: a singleton.
///
/// Clones are the same probe.
#[derive(Clone, Default)]
pub struct Probe(Arc<State>);

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

#[derive(Default)]
struct State {
    built: AtomicUsize,
    faulty: AtomicUsize,
    commit_fails: Mutex<Option<CommitOutcome>>,
    notes: Mutex<Vec<String>>,
}

impl State {
    fn notes(&self) -> MutexGuard<'_, Vec<String>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Probe {
    pub(crate) fn number(&self) -> usize {
        self.0.built.fetch_add(1, Ordering::SeqCst)
    }

    /// Notes something.
    pub fn note(&self, note: impl Into<String>) {
        self.0.notes().push(note.into());
    }

    /// The notes since the last call: `write …` and the end of the unit of work, and `session dropped`.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.notes())
    }

    /// The next so many factories that can go wrong do.
    pub(crate) fn spoil(&self, times: usize) {
        self.0.faulty.store(times, Ordering::SeqCst);
    }

    /// The next commit fails so.
    pub(crate) fn fail_to_commit(&self, outcome: CommitOutcome) {
        *self.0.commit_fails.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    fn is_spoilt(&self) -> bool {
        self.0.faulty.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A singleton.
#[derive(Debug)]
pub struct Config(usize);

impl Config {
    /// Makes the next one.
    #[must_use]
    pub fn of(probe: &Probe) -> Self {
        Self(probe.number())
    }

    /// Its number, which no other service has.
    #[must_use]
    pub fn number(&self) -> usize {
        self.0
    }
}

/// A singleton behind a trait: a [`SystemClock`].
pub trait Clock: Send + Sync {
    /// Its number, which no other service has.
    fn number(&self) -> usize;
}

/// The [`Clock`] of the suite.
#[derive(Debug)]
pub struct SystemClock(usize);

impl SystemClock {
    /// Makes the next one.
    #[must_use]
    pub fn of(probe: &Probe) -> Self {
        Self(probe.number())
    }
}

impl Clock for SystemClock {
    fn number(&self) -> usize {
        self.0
    }
}

/// A scoped service, whose end is noted.
#[derive(Debug)]
pub struct Session {
    pub(crate) number: usize,
    pub(crate) meta: Arc<Meta>,
    probe: Probe,
}

impl Session {
    /// Makes the next one, for the message with this `meta`.
    #[must_use]
    pub fn of(probe: &Probe, meta: Arc<Meta>) -> Self {
        Self { number: probe.number(), meta, probe: probe.clone() }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.probe.note("session dropped");
    }
}

/// A scoped service behind a trait, which needs another: an [`InSession`].
pub trait Repository: Send + Sync {
    /// The number of its [`Session`].
    fn session(&self) -> usize;
}

/// The [`Repository`] of the suite.
#[derive(Debug)]
pub struct InSession(Arc<Session>);

impl InSession {
    /// Makes one that has this session.
    #[must_use]
    pub fn of(session: Arc<Session>) -> Self {
        Self(session)
    }
}

impl Repository for InSession {
    fn session(&self) -> usize {
        self.0.number
    }
}

/// A transient service.
#[derive(Debug)]
pub struct Stamp(usize);

impl Stamp {
    /// Makes the next one.
    #[must_use]
    pub fn of(probe: &Probe) -> Self {
        Self(probe.number())
    }

    /// Its number, which no other service has.
    #[must_use]
    pub fn number(&self) -> usize {
        self.0
    }
}

/// A scoped service whose factory may fail.
#[derive(Debug)]
pub struct Failing;

impl Failing {
    /// The factory of the service.
    ///
    /// # Errors
    ///
    /// It fails if a case wants it to; it never does if the container's [guarantees](super::Guarantees) do not have
    /// `factories_may_fail`.
    pub fn of(probe: &Probe) -> Result<Self, BoxError> {
        if probe.is_spoilt() { Err("the factory failed".into()) } else { Ok(Self) }
    }
}

/// A scoped service whose factory may panic.
#[derive(Debug)]
pub struct Panicking;

impl Panicking {
    /// The factory of the service.
    ///
    /// # Panics
    ///
    /// If a case wants it to.
    #[must_use]
    pub fn of(probe: &Probe) -> Self {
        assert!(!probe.is_spoilt(), "the factory panicked");
        Self
    }
}

/// What is never registered.
pub(crate) struct Absent;

/// A service that needs an [`Egg`].
#[derive(Debug)]
pub struct Chicken;

/// A service that needs a [`Chicken`].
#[derive(Debug)]
pub struct Egg;

/// A scoped unit of work, which notes how it ends.
///
/// Clones are the same unit of work.
#[derive(Clone, Debug)]
pub struct Work {
    probe: Probe,
    pub(crate) kind: Option<MessageKind>,
}

impl Work {
    /// Makes a unit of work that the container registers as one, for a message of the kind that [`Container::open`]
    /// got.
    ///
    /// [`Container::open`]: diator::Container::open
    #[must_use]
    pub fn of(probe: &Probe, kind: Option<MessageKind>) -> Self {
        Self { probe: probe.clone(), kind }
    }

    /// Makes a unit of work that enlists itself, for a container that does not recognise it as one.
    #[must_use]
    pub fn enlisted(probe: &Probe, enlistment: &Enlistment) -> Self {
        let work = Self::of(probe, enlistment.kind());
        enlistment.enlist(Arc::new(work.clone()));
        work
    }

    pub(crate) fn write(&self, what: &str) {
        self.probe.note(format!("write {what}"));
    }

    pub(crate) fn note_kind(&self) {
        self.probe.note(self.kind.map_or("no kind", MessageKind::as_str));
    }
}

#[diator::async_trait]
impl UnitOfWork for Work {
    async fn commit(&self) -> Result<(), CommitError> {
        self.probe.note("commit");
        match self.probe.0.commit_fails.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => Ok(()),
            Some(CommitOutcome::RolledBack) => Err(CommitError::rolled_back("the commit failed")),
            Some(_) => Err(CommitError::unknown("the commit failed")),
        }
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        self.probe.note("roll back");
        Ok(())
    }

    fn savepoints(&self) -> Option<&dyn Savepoints> {
        Some(self)
    }
}

#[diator::async_trait]
impl Savepoints for Work {
    async fn set(&self, _: &str) -> Result<(), BoxError> {
        self.probe.note("savepoint");
        Ok(())
    }

    async fn roll_back_to(&self, _: &str) -> Result<(), BoxError> {
        self.probe.note("roll back to savepoint");
        Ok(())
    }

    async fn release(&self, _: &str) -> Result<(), BoxError> {
        self.probe.note("release");
        Ok(())
    }
}
