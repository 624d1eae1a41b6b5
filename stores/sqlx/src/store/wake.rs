use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How a relay learns of commits without asking the database.
#[derive(Debug)]
pub(crate) struct Wake {
    /// The name of this process in its notifications.
    pub(crate) id: Uuid,
    /// Whether this process notifies others, and listens to them.
    pub(crate) others: bool,
    relay: Arc<Notify>,
    commits: watch::Sender<u64>,
    /// Counts the times that an endpoint may find a delivery.
    deliveries: watch::Sender<u64>,
    /// The task that notifies others, and the task that listens to them.
    tasks: [Mutex<Option<JoinHandle<()>>>; 2],
}

#[derive(Clone, Copy)]
pub(crate) enum Task {
    Teller,
    Listener,
}

impl Wake {
    pub(crate) fn new(others: bool) -> Self {
        let (commits, deliveries) = (watch::Sender::new(0), watch::Sender::new(0));
        Self { id: Uuid::now_v7(), others, relay: Arc::default(), commits, deliveries, tasks: Default::default() }
    }

    /// Signals a commit of this process or another one.
    pub(crate) fn relay(&self) -> Arc<Notify> {
        self.relay.clone()
    }

    /// Notes a commit of this process.
    pub(crate) fn committed(&self) {
        self.relay.notify_one();
        if self.others {
            self.commits.send_modify(|commits| *commits = commits.wrapping_add(1));
        }
    }

    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Notes that endpoints of this process may find a delivery.
    pub(crate) fn delivered(&self) {
        self.deliveries.send_modify(|deliveries| *deliveries = deliveries.wrapping_add(1));
    }

    pub(super) fn deliveries(&self) -> watch::Receiver<u64> {
        self.deliveries.subscribe()
    }

    /// Runs a task until the store is dropped, and starts it again if its runtime has ended.
    pub(crate) fn keep_running<F>(&self, task: Task, make: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // Nothing can panic while it is locked.
        let mut running = self.tasks[task as usize].lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_none_or(JoinHandle::is_finished) {
            *running = Some(runtime.spawn(make()));
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        for task in &mut self.tasks {
            if let Some(task) = task.get_mut().unwrap_or_else(PoisonError::into_inner) {
                task.abort();
            }
        }
    }
}
