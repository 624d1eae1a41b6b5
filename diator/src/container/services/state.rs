use std::any::{Any, TypeId};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;
use tokio::sync::Notify;

use super::super::DependencyKey;
use super::attempts::{AttemptId, Attempts};
use crate::BoxError;

/// A service whose type is known to who asks for it.
pub(super) type Service = Arc<dyn Any + Send + Sync>;

/// What one scope has built, and what it is building.
#[derive(Default)]
pub(super) struct State {
    cells: Mutex<Cells>,
    // Both are told when a factory ends: the one for threads that wait, the other for tasks.
    ended: Condvar,
    ended_for_tasks: Notify,
}

#[derive(Default)]
struct Cells {
    built: Built,
    attempts: Attempts,
    // To tell them costs a system call, which nearly always would be for nobody.
    blocked_threads: usize,
    savepoints: usize,
    closed: bool,
}

/// In the order in which they were built.
pub(super) type Built = SmallVec<[(TypeId, Service); 4]>;

/// What somebody gets who asks for a service of which there is one.
pub(super) enum Claim<'a> {
    Built(Service),
    /// It is the asker's to build.
    Mine(Running<'a>),
    /// Somebody else is building it.
    Busy(Waiting<'a>),
}

impl State {
    /// The service, if it is there.
    ///
    /// # Errors
    ///
    /// It never will be: the scope is closed, or who asks is what the service waits for.
    pub(super) fn look(&self, service: &DependencyKey, asker: AttemptId) -> Result<Option<Service>, BoxError> {
        let cells = self.lock();
        if let Some(built) = cells.built(service.id()) {
            return Ok(Some(built));
        }
        cells.not_closed(service)?;
        cells.attempts.builder(service, asker).map(|_| None)
    }

    /// The service, or the right to build it, or somebody to wait for.
    pub(super) fn claim(
        &self,
        service: &DependencyKey,
        asker: AttemptId,
        takes_time: bool,
    ) -> Result<Claim<'_>, BoxError> {
        let mut cells = self.lock();
        if let Some(built) = cells.built(service.id()) {
            return Ok(Claim::Built(built));
        }
        cells.not_closed(service)?;
        Ok(match cells.attempts.builder(service, asker)? {
            Some(awaited) => {
                cells.attempts.wait(asker, awaited);
                Claim::Busy(Waiting { state: self, asker, awaited })
            }
            None => {
                let id = cells.attempts.begin(*service, asker, takes_time);
                Claim::Mine(Running { state: self, id, service: *service })
            }
        })
    }

    /// Begins to build a service that is not kept, of which several may be built at once.
    pub(super) fn begin(&self, service: &DependencyKey, asker: AttemptId) -> Result<Running<'_>, BoxError> {
        let mut cells = self.lock();
        cells.attempts.builder(service, asker)?;
        Ok(Running { state: self, id: cells.attempts.begin(*service, asker, false), service: *service })
    }

    /// The services whose factories wait for the asker, that one first.
    pub(super) fn askers(&self, asker: AttemptId) -> Vec<DependencyKey> {
        self.lock().attempts.askers(asker).collect()
    }

    pub(super) fn has_built(&self) -> bool {
        !self.lock().built.is_empty()
    }

    /// How many services are built, and what `pick` makes of each.
    pub(super) fn mark<T>(&self, pick: impl Fn(TypeId, &Service) -> Option<T>) -> (usize, Vec<T>) {
        let cells = self.lock();
        (cells.built.len(), cells.built.iter().filter_map(|(id, service)| pick(*id, service)).collect())
    }

    pub(super) fn next_savepoint(&self) -> usize {
        let mut cells = self.lock();
        cells.savepoints += 1;
        cells.savepoints
    }

    /// Takes those services out that were built after the first so many; who asks again gets new ones.
    pub(super) fn forget_from(&self, built: usize) -> Built {
        let mut cells = self.lock();
        let built = built.min(cells.built.len());
        cells.built.drain(built..).collect()
    }

    /// Takes the services out; from now on there are none to be had.
    pub(super) fn close(&self) -> Built {
        let mut cells = self.lock();
        cells.closed = true;
        mem::take(&mut cells.built)
    }

    fn lock(&self) -> MutexGuard<'_, Cells> {
        // No factory runs while it is locked, so what a panic leaves behind is whole.
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cells {
    fn built(&self, id: TypeId) -> Option<Service> {
        self.built.iter().find(|(other, _)| *other == id).map(|(_, service)| service.clone())
    }

    fn not_closed(&self, service: &DependencyKey) -> Result<(), BoxError> {
        match self.closed {
            true => Err(format!(
                "the scoped service `{}` is asked for after its message has ended: ask for it earlier",
                service.name()
            )
            .into()),
            false => Ok(()),
        }
    }
}

/// A factory that is running; it ends when this is dropped, so also if it fails, panics or is cancelled.
pub(super) struct Running<'a> {
    state: &'a State,
    id: AttemptId,
    service: DependencyKey,
}

impl Running<'_> {
    pub(super) fn id(&self) -> AttemptId {
        self.id
    }

    /// Keeps what the factory built.
    ///
    /// # Errors
    ///
    /// The scope was closed meanwhile: nobody would close the service.
    pub(super) fn keep(self, service: Service) -> Result<(), BoxError> {
        let mut cells = self.state.lock();
        let open = cells.not_closed(&self.service);
        if open.is_ok() {
            cells.built.push((self.service.id(), service));
        }
        open
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut cells = self.state.lock();
        cells.attempts.end(self.id);
        if cells.blocked_threads > 0 {
            self.state.ended.notify_all();
        }
        drop(cells);
        self.state.ended_for_tasks.notify_waiters();
    }
}

/// Somebody who waits for a factory to end; then the service is there, or is to be claimed again.
pub(super) struct Waiting<'a> {
    state: &'a State,
    asker: AttemptId,
    awaited: AttemptId,
}

impl Waiting<'_> {
    pub(super) fn block(self) {
        let mut cells = self.state.lock();
        cells.blocked_threads += 1;
        let running = |cells: &mut Cells| cells.attempts.is_running(self.awaited);
        let mut cells = self.state.ended.wait_while(cells, running).unwrap_or_else(PoisonError::into_inner);
        cells.blocked_threads -= 1;
    }

    pub(super) async fn ended(self) {
        // What is told after this line is heard, also before the first poll.
        let ended = self.state.ended_for_tasks.notified();
        let running = self.state.lock().attempts.is_running(self.awaited);
        if running {
            ended.await;
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.state.lock().attempts.end_wait(self.asker, self.awaited);
    }
}
