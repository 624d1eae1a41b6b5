use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::engine::{At, Engine, Farewell};
use crate::faults::Faults;
use crate::plan::{Conduct, Plan};
use crate::random::Random;
use crate::store::{Database, StoreFaults};
use crate::trace::{Event, Noted, Trace};

/// Everything that processes have in common: the engine, the store, the attempt log, what handlers are to do, chance, and the trace.
#[derive(Clone)]
pub(crate) struct World(Arc<Inner>);

struct Inner {
    plan: Plan,
    begun: Instant,
    state: Mutex<State>,
    /// Something may have changed for those who wait for the engine.
    changed: Notify,
}

pub(crate) struct State {
    pub(crate) random: Random,
    pub(crate) trace: Trace,
    pub(crate) engine: Box<dyn Engine>,
    /// How many attempts of each message were begun and never ended.
    pub(crate) unended: BTreeMap<Noted, u32>,
    pub(crate) database: Database,
    pub(crate) faults: Faults,
    pub(crate) store_faults: StoreFaults,
    pub(crate) is_quiet: bool,
    pub(crate) all_published: bool,
    /// The operator has done all that he was to do.
    pub(crate) has_operated: bool,
    pub(crate) is_over: bool,
    /// A verdict was refused, so that its opening keeps the message for good.
    pub(crate) has_refused: bool,
    /// Openings that are over, as the drivers are to learn.
    pub(crate) cut: BTreeMap<usize, bool>,
    conducts: Vec<[Vec<Conduct>; 2]>,
    numbers: usize,
}

impl World {
    pub(crate) fn new(plan: Plan, engine: Box<dyn Engine>) -> Self {
        let conducts = plan.messages.iter().map(|message| message.conducts.clone()).collect();
        let state = State {
            random: Random::new(plan.seed ^ 0x5851_f42d_4c95_7f2d),
            trace: Trace::default(),
            engine,
            unended: BTreeMap::new(),
            database: Database::default(),
            faults: plan.faults.clone(),
            store_faults: plan.store.as_ref().map(|store| store.faults.clone()).unwrap_or_default(),
            is_quiet: false,
            all_published: false,
            has_operated: false,
            is_over: false,
            has_refused: false,
            cut: BTreeMap::new(),
            conducts,
            numbers: 0,
        };
        Self(Arc::new(Inner { plan, begun: Instant::now(), state: Mutex::new(state), changed: Notify::new() }))
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.0.plan
    }

    pub(crate) fn begun(&self) -> Instant {
        self.0.begun
    }

    pub(crate) fn now(&self) -> Duration {
        self.0.begun.elapsed()
    }

    pub(crate) fn since_begun(&self, moment: Instant) -> Duration {
        moment - self.0.begun
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, event: Event) {
        let now = self.now();
        self.state().trace.note(now, event);
    }

    /// Does something with the engine, and wakes those who wait for it.
    pub(crate) fn with_engine<T>(&self, act: impl FnOnce(&mut dyn Engine, &mut At<'_>) -> T) -> T {
        let done = self.look_at_engine(act);
        self.0.changed.notify_waiters();
        done
    }

    /// Does something with the engine that concerns nobody else.
    pub(crate) fn look_at_engine<T>(&self, act: impl FnOnce(&mut dyn Engine, &mut At<'_>) -> T) -> T {
        let state = &mut *self.state();
        let mut at =
            At { now: Instant::now(), begun: self.0.begun, random: &mut state.random, trace: &mut state.trace };
        act(&mut *state.engine, &mut at)
    }

    /// Does something with the database.
    pub(crate) fn with_store<T>(&self, act: impl FnOnce(&mut Database, &mut At<'_>) -> T) -> T {
        let state = &mut *self.state();
        let mut at =
            At { now: Instant::now(), begun: self.0.begun, random: &mut state.random, trace: &mut state.trace };
        act(&mut state.database, &mut at)
    }

    /// Does something when the database has seen that a connection is gone, which may take a while.
    pub(crate) fn when_seen(&self, act: impl FnOnce(&mut Database) + Send + 'static) {
        let lingers = {
            let state = &mut *self.state();
            state.random.chance(state.store_faults.lingers).then(|| state.random.millis(1, 5_000))
        };
        let world = self.clone();
        let act = move || world.with_store(|database, _| act(database));
        match (lingers, tokio::runtime::Handle::try_current()) {
            (Some(time), Ok(runtime)) => {
                runtime.spawn(async move {
                    sleep(time).await;
                    act();
                });
            }
            _ => act(),
        }
    }

    pub(crate) fn wake(&self) {
        self.0.changed.notify_waiters();
    }

    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.0.changed.notified()
    }

    /// The engine learns of the end of an opening.
    pub(crate) fn end(&self, opening: usize, how: Farewell) {
        self.state().cut.insert(opening, true);
        self.with_engine(|engine, at| engine.end(opening, how, at));
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_settled(&self) -> bool {
        let state = self.state();
        let is_idle = state.all_published && state.has_operated && state.is_quiet;
        is_idle && state.engine.unsettled() == 0 && state.database.is_drained()
    }

    pub(crate) fn quieten(&self) {
        {
            let state = &mut *self.state();
            (state.faults, state.store_faults) = (Faults::default(), StoreFaults::default());
            state.is_quiet = true;
            if state.has_refused {
                state.cut.values_mut().for_each(|cut| *cut = true);
            }
        }
        self.note(Event::Quiet);
        self.wake();
    }
}

impl State {
    pub(crate) fn number(&mut self) -> usize {
        self.numbers += 1;
        self.numbers
    }

    /// What a handler does this time.
    pub(crate) fn conduct(&mut self, message: usize, handler: usize) -> Conduct {
        let conducts = &mut self.conducts[message][handler];
        if conducts.is_empty() { Conduct::Take(Duration::ZERO) } else { conducts.remove(0) }
    }
}
