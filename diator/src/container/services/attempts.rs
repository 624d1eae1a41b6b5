use std::thread::{self, ThreadId};

use smallvec::SmallVec;

use super::super::DependencyKey;
use crate::BoxError;

/// Names a factory that is running, and so who asks; the default is somebody who is no factory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AttemptId(u64);

/// The factories that are running, and which of them waits for which.
#[derive(Default)]
pub(super) struct Attempts {
    running: SmallVec<[Attempt; 4]>,
    // Who waits for a service that somebody else is building. It stays free of circles: who would close one gets an
    // error.
    waits: Vec<(AttemptId, AttemptId)>,
    last: u64,
}

struct Attempt {
    id: AttemptId,
    asker: AttemptId,
    service: DependencyKey,
    // Of a factory that takes no time: it ends on the thread on which it began.
    thread: Option<ThreadId>,
}

impl Attempts {
    pub(super) fn begin(&mut self, service: DependencyKey, asker: AttemptId, takes_time: bool) -> AttemptId {
        self.last += 1;
        let id = AttemptId(self.last);
        let thread = (!takes_time).then(|| thread::current().id());
        self.running.push(Attempt { id, asker, service, thread });
        id
    }

    pub(super) fn end(&mut self, id: AttemptId) {
        self.running.retain(|attempt| attempt.id != id);
    }

    pub(super) fn wait(&mut self, asker: AttemptId, awaited: AttemptId) {
        self.waits.push((asker, awaited));
    }

    pub(super) fn end_wait(&mut self, asker: AttemptId, awaited: AttemptId) {
        if let Some(place) = self.waits.iter().position(|wait| *wait == (asker, awaited)) {
            self.waits.swap_remove(place);
        }
    }

    pub(super) fn is_running(&self, id: AttemptId) -> bool {
        self.get(id).is_some()
    }

    /// Who is building the service already.
    ///
    /// # Errors
    ///
    /// That one waits for the asker, at whatever distance.
    pub(super) fn builder(&self, service: &DependencyKey, asker: AttemptId) -> Result<Option<AttemptId>, BoxError> {
        let mut builder = None;
        for attempt in self.running.iter().filter(|attempt| attempt.service == *service) {
            let mut path = Vec::new();
            // A factory that has not left this thread is below on its stack, whatever handle it has asked with.
            let below = || attempt.thread.is_some_and(|thread| thread == thread::current().id());
            if self.leads(attempt.id, asker, &mut path) || below() {
                path.push(service.name());
                return Err(cycle(&path, service.name()));
            }
            builder = Some(attempt.id);
        }
        Ok(builder)
    }

    /// Whether one factory needs another to end; the path holds the names between, the first included.
    fn leads(&self, from: AttemptId, to: AttemptId, path: &mut Vec<&'static str>) -> bool {
        let Some(attempt) = self.get(from) else { return false };
        path.push(attempt.service.name());
        let asked = self.running.iter().filter(|asked| asked.asker == from).map(|asked| asked.id);
        let awaited = self.waits.iter().filter(|wait| wait.0 == from).map(|wait| wait.1);
        if from == to || asked.chain(awaited).any(|next| self.leads(next, to, path)) {
            return true;
        }
        path.pop();
        false
    }

    /// The services whose factories wait for the asker, that one first.
    pub(super) fn askers(&self, asker: AttemptId) -> impl Iterator<Item = DependencyKey> {
        let next = |attempt: &&Attempt| self.get(attempt.asker);
        std::iter::successors(self.get(asker), next).map(|attempt| attempt.service)
    }

    fn get(&self, id: AttemptId) -> Option<&Attempt> {
        self.running.iter().find(|attempt| attempt.id == id)
    }
}

fn cycle(path: &[&str], again: &str) -> BoxError {
    // A factory that asks in a way of its own leaves no path but its name.
    let chain = if path == [again] { format!("{again} -> {again}") } else { path.join(" -> ") };
    format!("a cycle of services: {chain}; let one of them do without the next").into()
}
