use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use diator::container::{CommitError, Savepoints, UnitOfWork};
use diator::{BoxError, Meta};

/// Numbers what is built, and notes what becomes of it.
#[derive(Clone, Default)]
pub(crate) struct Probe(Arc<State>);

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

#[derive(Default)]
struct State {
    built: AtomicUsize,
    faulty: AtomicUsize,
    notes: Mutex<Vec<String>>,
}

impl Probe {
    pub(crate) fn number(&self) -> usize {
        self.0.built.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn note(&self, note: impl Into<String>) {
        self.0.notes.lock().unwrap().push(note.into());
    }

    /// What was noted since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.notes.lock().unwrap())
    }

    /// The next so many factories that can go wrong do.
    pub(crate) fn spoil(&self, times: usize) {
        self.0.faulty.store(times, Ordering::SeqCst);
    }

    fn is_spoilt(&self) -> bool {
        self.0.faulty.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A singleton.
pub(crate) struct Config(pub(crate) usize);

impl Config {
    pub(crate) fn of(probe: &Probe) -> Self {
        Self(probe.number())
    }
}

/// A singleton behind a trait.
pub(crate) trait Clock: Send + Sync {
    fn number(&self) -> usize;
}

pub(crate) struct SystemClock(usize);

impl SystemClock {
    pub(crate) fn of(probe: &Probe) -> Self {
        Self(probe.number())
    }
}

impl Clock for SystemClock {
    fn number(&self) -> usize {
        self.0
    }
}

/// A scoped service.
pub(crate) struct Session {
    pub(crate) number: usize,
    pub(crate) meta: Arc<Meta>,
    probe: Probe,
}

impl Session {
    pub(crate) fn of(probe: &Probe, meta: Arc<Meta>) -> Self {
        Self { number: probe.number(), meta, probe: probe.clone() }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.probe.note("session dropped");
    }
}

/// A scoped service behind a trait, which needs another.
pub(crate) trait Repository: Send + Sync {
    fn session(&self) -> usize;
}

pub(crate) struct InSession(Arc<Session>);

impl InSession {
    pub(crate) fn of(session: Arc<Session>) -> Self {
        Self(session)
    }
}

impl Repository for InSession {
    fn session(&self) -> usize {
        self.0.number
    }
}

/// A transient service.
pub(crate) struct Stamp(pub(crate) usize);

impl Stamp {
    pub(crate) fn of(probe: &Probe) -> Self {
        Self(probe.number())
    }
}

/// A scoped service whose factory may fail.
pub(crate) struct Failing;

impl Failing {
    pub(crate) fn of(probe: &Probe) -> Result<Self, BoxError> {
        if probe.is_spoilt() { Err("the factory failed".into()) } else { Ok(Self) }
    }
}

/// A scoped service whose factory may panic.
pub(crate) struct Panicking;

impl Panicking {
    pub(crate) fn of(probe: &Probe) -> Self {
        assert!(!probe.is_spoilt(), "the factory panicked");
        Self
    }
}

/// What is never registered.
pub(crate) struct Absent;

/// Two services that need each other.
pub(crate) struct Chicken;
pub(crate) struct Egg;

/// A scoped unit of work.
#[derive(Clone)]
pub(crate) struct Work {
    probe: Probe,
}

impl Work {
    pub(crate) fn of(probe: &Probe) -> Self {
        Self { probe: probe.clone() }
    }

    /// As a service of a container that does not know it for a unit of work.
    /// In a container that has to be told that it is a unit of work.
    #[cfg(any(feature = "dill", feature = "froodi", feature = "more-di"))]
    pub(crate) fn enlisted(probe: &Probe, enlistment: &diator::container::Enlistment) -> Self {
        let work = Self::of(probe);
        enlistment.enlist(Arc::new(work.clone()));
        work
    }

    pub(crate) fn write(&self, what: &str) {
        self.probe.note(format!("write {what}"));
    }
}

#[diator::async_trait]
impl UnitOfWork for Work {
    async fn commit(&self) -> Result<(), CommitError> {
        self.probe.note("commit");
        Ok(())
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
