use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::world::World;

/// A process from its start to its end; what it does after a crash has no effect.
#[derive(Clone)]
pub(crate) struct Process(Arc<Inner>);

struct Inner {
    number: usize,
    world: World,
    is_dead: AtomicBool,
    /// How many steps it has left until it crashes; `usize::MAX` is for ever.
    left: AtomicUsize,
    died: Notify,
}

impl Process {
    pub(crate) fn new(number: usize, world: World, steps: Option<usize>) -> Self {
        Self(Arc::new(Inner {
            number,
            world,
            is_dead: AtomicBool::new(false),
            left: AtomicUsize::new(steps.unwrap_or(usize::MAX)),
            died: Notify::new(),
        }))
    }

    pub(crate) fn number(&self) -> usize {
        self.0.number
    }

    pub(crate) fn world(&self) -> &World {
        &self.0.world
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.0.is_dead.load(Ordering::Relaxed)
    }

    pub(crate) fn crash(&self) {
        if !self.0.is_dead.swap(true, Ordering::Relaxed) {
            self.0.world.note(crate::trace::Event::Crashed { process: self.0.number });
            let number = self.0.number;
            self.0.world.when_seen(move |database| database.lose(number));
            self.0.died.notify_one();
        }
    }

    pub(crate) async fn died(&self) {
        self.0.died.notified().await;
    }

    /// A place where the process may crash, or others may come first. A dead process does not get past it.
    pub(crate) async fn step(&self) {
        let turns = {
            let state = &mut *self.0.world.state();
            if state.is_quiet { 0 } else { state.random.below(3) }
        };
        for _ in 0..turns {
            yield_now().await;
        }
        let left = self.0.left.load(Ordering::Relaxed);
        if left == 0 && !self.0.world.state().is_quiet {
            self.crash();
        } else if left != usize::MAX {
            self.0.left.store(left.saturating_sub(1), Ordering::Relaxed);
        }
        if self.is_dead() {
            pending::<()>().await;
        }
    }
}
