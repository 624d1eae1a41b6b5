//! The tasks that run deliveries, and what the loop hands to them.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, oneshot};
use tokio::task::coop::consume_budget;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::Bound;
use super::event::Event;
use super::tag_map::TagMap;
use super::work::{Ran, Work, Working};
use crate::subscription::{DeliveryTag, Settle, Settled};

/// As many tasks as deliveries may run at once. They stay, and take what is handed over in its order.
///
/// The loop may hand over more than they run, so that no worker waits for the loop between two deliveries. What has not begun can be
/// called back. After a run that did not go well, none of those begins before the loop has heard of it: it may mean a pause, or the end.
pub(super) struct Workers {
    most: usize,
    bound: Arc<Bound>,
    desk: Arc<Desk>,
    tasks: JoinSet<()>,
    handles: BTreeMap<u64, AbortHandle>,
    /// How many there have been.
    hired: u64,
}

/// A delivery that a worker is to run.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) tag: DeliveryTag,
    pub(super) work: Box<Work>,
    pub(super) cut: Option<oneshot::Receiver<()>>,
    /// The end of its lease, where that must not come before its handler's.
    pub(super) lease: Option<Instant>,
}

/// Where workers take what they run, and say how it went.
pub(super) struct Desk {
    events: UnboundedSender<Event>,
    pub(super) engine: Arc<dyn Settle>,
    state: Mutex<State>,
    called_back: Notify,
}

#[derive(Default)]
struct State {
    handed: VecDeque<Handed>,
    /// How many of these, the last ones, came before a worker was free for them.
    ahead: usize,
    /// Which worker runs what.
    running: TagMap<u64>,
    /// Workers that wait, by their numbers.
    idle: BTreeMap<u64, Waker>,
    /// How many there are, those that were cut off and have not ended among them.
    alive: usize,
    /// How many runs did not go well, and the loop has not heard of it.
    unheard: usize,
    /// How often what had not begun was called back.
    calls: u64,
    /// No worker is needed any more.
    closed: bool,
}

impl Workers {
    pub(super) fn new(most: usize, bound: Arc<Bound>, engine: Arc<dyn Settle>, events: UnboundedSender<Event>) -> Self {
        let desk = Arc::new(Desk { events, engine, state: Mutex::default(), called_back: Notify::new() });
        Self { most, bound, desk, tasks: JoinSet::new(), handles: BTreeMap::new(), hired: 0 }
    }

    /// They begin in this order; `all` are in the workers' hands then, as the loop knows it.
    pub(super) fn hand(&mut self, deliveries: Vec<Handed>, all: usize) {
        let mut state = self.desk.state();
        state.handed.extend(deliveries);
        state.ahead = all.saturating_sub(self.most);
        let lacking = state.handed.len().saturating_sub(state.idle.len()).min(self.most - state.alive);
        state.alive += lacking;
        state.wake();
        drop(state);
        for _ in 0..lacking {
            let worker = Worker { number: self.hired, desk: self.desk.clone() };
            self.handles.insert(self.hired, self.tasks.spawn(worker.work(self.bound.clone())));
            self.hired += 1;
        }
    }

    /// Takes back what has not begun, in its order; what waits for its turn among both openings comes as [`Ran::CalledBack`].
    pub(super) fn call_back(&mut self) -> VecDeque<Handed> {
        let mut state = self.desk.state();
        state.calls += 1;
        self.desk.called_back.notify_waiters();
        std::mem::take(&mut state.handed)
    }

    /// The loop has done what follows from a run that did not go well.
    pub(super) fn heard(&mut self) {
        let mut state = self.desk.state();
        state.unheard -= 1;
        state.wake();
    }

    /// Ends the worker that runs this delivery: at its next point of waiting, or never if its handler blocks the thread.
    pub(super) fn cut(&mut self, tag: DeliveryTag) {
        let worker = self.desk.state().running.remove(&tag);
        if let Some(worker) = worker.and_then(|number| self.handles.remove(&number)) {
            worker.abort();
        }
    }

    /// Lets workers end that run nothing.
    pub(super) fn dismiss(&mut self) {
        let mut state = self.desk.state();
        state.closed = true;
        std::mem::take(&mut state.idle).into_values().for_each(Waker::wake);
    }

    /// Waits until all have ended.
    pub(super) async fn all_ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Ends all that can be ended, and waits for the others.
    pub(super) async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
    }

    /// How many have not ended.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Forgets those that have ended.
    pub(super) fn reap(&mut self) {
        let all = self.tasks.len();
        while self.tasks.try_join_next().is_some() {}
        if self.tasks.len() < all {
            self.handles.retain(|_, worker| !worker.is_finished());
        }
    }
}

impl Desk {
    /// What to run next, after this delivery, and how often there were calls back before; `None` if the worker is to end.
    async fn next(&self, worker: u64, mut last: Option<DeliveryTag>) -> Option<(Handed, u64)> {
        // Workers that find work at once, time after time, let other tasks go too.
        consume_budget().await;
        poll_fn(|cx| self.state().poll_next(worker, last.take(), cx)).await
    }

    /// Waits until what has not begun is called back, after so many calls.
    pub(super) async fn called_back(&self, calls: u64) {
        let notified = self.called_back.notified();
        if self.state().calls == calls {
            notified.await;
        }
    }

    pub(super) fn tell(&self, tag: DeliveryTag, work: Box<Work>, ran: Ran, took: Duration) {
        if !ran.went_well() {
            self.state().unheard += 1;
        }
        // Whoever has gone has forgotten it.
        let _sent = self.events.send(Event::Worked { tag, work, ran, took });
    }

    /// The engine has answered when a worker asked it to extend a lock, from that moment on.
    pub(super) fn tell_extended(&self, tag: DeliveryTag, answer: Settled, from: Instant) {
        let _sent = self.events.send(Event::Extended { extended: vec![(tag, answer)], from, error: None });
    }

    // Nothing that runs under the lock leaves the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn poll_next(
        &mut self,
        worker: u64,
        last: Option<DeliveryTag>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(Handed, u64)>> {
        if let Some(last) = last {
            match self.running.get(&last) {
                Some(&runs_it) if runs_it == worker => _ = self.running.remove(&last),
                // It has come again, and another one runs it already.
                Some(_) => {}
                // It was cut, by the loop, which has forgotten this worker.
                None => return Poll::Ready(None),
            }
        }
        if self.closed {
            return Poll::Ready(None);
        }
        let next = if self.may_begin() > 0 { self.handed.pop_front() } else { None };
        match next {
            Some(next) => {
                self.running.insert(next.tag, worker);
                Poll::Ready(Some((next, self.calls)))
            }
            None => {
                self.idle.insert(worker, cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn may_begin(&self) -> usize {
        if self.unheard == 0 { self.handed.len() } else { self.handed.len().saturating_sub(self.ahead) }
    }

    /// Wakes a worker for each delivery that may begin.
    fn wake(&mut self) {
        for _ in 0..self.may_begin() {
            let Some((_, worker)) = self.idle.pop_first() else { return };
            worker.wake();
        }
    }
}

struct Worker {
    number: u64,
    desk: Arc<Desk>,
}

impl Worker {
    async fn work(self, bound: Arc<Bound>) {
        let mut last = None;
        while let Some((Handed { tag, work, cut, lease }, calls)) = self.desk.next(self.number, last).await {
            Working::new(&bound, &self.desk, tag, work).run(cut, lease, calls).await;
            last = Some(tag);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut state = self.desk.state();
        state.alive -= 1;
        state.idle.remove(&self.number);
        drop(state);
        // What was handed over may need another one in its place.
        let _sent = self.desk.events.send(Event::WorkerEnded);
    }
}
