use std::any::{Any, TypeId};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use smallvec::SmallVec;

use crate::BoxError;

/// A service whose type is known to who asks for it.
pub(super) type Service = Arc<dyn Any + Send + Sync>;

/// What one scope has built, and what it is building.
#[derive(Default)]
pub(super) struct State {
    cells: Mutex<Cells>,
    // Told when a factory ends.
    ended: Condvar,
}

#[derive(Default)]
struct Cells {
    built: Built,
    building: SmallVec<[Building; 2]>,
    // One lock for each service that takes time to build, held while it is built.
    turns: Vec<(TypeId, Arc<tokio::sync::Mutex<()>>)>,
}

/// In the order in which they were built.
pub(super) type Built = SmallVec<[(TypeId, Service); 4]>;

/// A factory that is running.
struct Building {
    thread: ThreadId,
    id: TypeId,
    name: &'static str,
}

/// A factory that takes time, and those that wait for it.
pub(super) struct Chain {
    pub(super) id: TypeId,
    pub(super) name: &'static str,
    pub(super) waiting: Option<Arc<Self>>,
}

impl State {
    pub(super) fn built(&self, id: TypeId) -> Option<Service> {
        self.lock().built(id)
    }

    /// The service, built now unless it is there: only one thread builds it, and others wait.
    pub(super) fn build_once(
        &self,
        id: TypeId,
        name: &'static str,
        factory: impl FnOnce() -> Result<Service, BoxError>,
    ) -> Result<Service, BoxError> {
        let mut cells = self.lock();
        loop {
            if let Some(built) = cells.built(id) {
                return Ok(built);
            }
            if !cells.building.iter().any(|building| building.id == id) {
                break;
            }
            cells.no_cycle(id, name)?;
            cells = self.ended.wait(cells).unwrap_or_else(PoisonError::into_inner);
        }
        let running = self.begin(cells, id, name);
        let service = factory()?;
        self.lock().built.push((id, service.clone()));
        drop(running);
        Ok(service)
    }

    /// Runs a factory whose service is not kept here.
    pub(super) fn build<T>(
        &self,
        id: TypeId,
        name: &'static str,
        factory: impl FnOnce() -> Result<T, BoxError>,
    ) -> Result<T, BoxError> {
        let cells = self.lock();
        cells.no_cycle(id, name)?;
        let _running = self.begin(cells, id, name);
        factory()
    }

    fn begin(&self, mut cells: MutexGuard<'_, Cells>, id: TypeId, name: &'static str) -> Running<'_> {
        let thread = thread::current().id();
        cells.building.push(Building { thread, id, name });
        Running { state: self, thread, id }
    }

    pub(super) fn keep(&self, id: TypeId, service: Service) {
        self.lock().built.push((id, service));
    }

    /// Whose turn it is to build a service that takes time.
    pub(super) fn turn(&self, id: TypeId) -> Arc<tokio::sync::Mutex<()>> {
        let turns = &mut self.lock().turns;
        if let Some((_, turn)) = turns.iter().find(|(other, _)| *other == id) {
            return turn.clone();
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        turns.push((id, turn.clone()));
        turn
    }

    /// The service whose factory runs on this thread, if one does.
    pub(super) fn asker(&self) -> Option<&'static str> {
        self.lock().on_this_thread().last().map(|building| building.name)
    }

    pub(super) fn take_built(&self) -> Built {
        std::mem::take(&mut self.lock().built)
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

    /// Factories run to their end on one thread, so one that is asked for again on it is waiting for itself.
    fn no_cycle(&self, id: TypeId, name: &'static str) -> Result<(), BoxError> {
        let mut chain: Vec<_> = self.on_this_thread().skip_while(|building| building.id != id).collect();
        match chain.is_empty() {
            true => Ok(()),
            false => Err(cycle(chain.drain(..).map(|building| building.name), name)),
        }
    }

    fn on_this_thread(&self) -> impl DoubleEndedIterator<Item = &Building> {
        let thread = thread::current().id();
        self.building.iter().filter(move |building| building.thread == thread)
    }
}

impl Chain {
    /// The chain with one more factory in front, unless that waits for itself.
    pub(super) fn with(waiting: Option<&Arc<Self>>, id: TypeId, name: &'static str) -> Result<Arc<Self>, BoxError> {
        let mut names = Vec::new();
        let mut next = waiting;
        while let Some(chain) = next {
            names.push(chain.name);
            if chain.id == id {
                return Err(cycle(names.into_iter().rev(), name));
            }
            next = chain.waiting.as_ref();
        }
        Ok(Arc::new(Self { id, name, waiting: waiting.cloned() }))
    }
}

fn cycle(names: impl Iterator<Item = &'static str>, again: &'static str) -> BoxError {
    let chain: String = names.map(|name| format!("{name} -> ")).collect();
    format!("a cycle of services: {chain}{again}; let one of them do without the next").into()
}

/// Ends the building of a service, also if its factory panics.
struct Running<'a> {
    state: &'a State,
    thread: ThreadId,
    id: TypeId,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let ended = |building: &Building| (building.thread, building.id) == (self.thread, self.id);
        let building = &mut self.state.lock().building;
        if let Some(place) = building.iter().rposition(ended) {
            building.remove(place);
        }
        self.state.ended.notify_all();
    }
}
