use tokio::time::Instant;

use super::group::Group;
use super::groups::{InMemoryGroups, Place};
use crate::InMemoryBroker;
use crate::broker::Log;

/// A connection that an endpoint opened; dropping it is a crash, unless it was closed.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) broker: InMemoryBroker,
    place: Place,
}

impl Opening {
    pub(super) fn new(broker: InMemoryBroker, place: Place) -> Self {
        Self { broker, place }
    }

    /// Lets this opening do something with its group; `None` if it is over.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Group, u64, Instant) -> T) -> Option<T> {
        let now = Instant::now();
        self.broker.engine(|groups, _| self.among(groups, now, act))
    }

    /// As [`with`](Self::with), for whoever has the groups already.
    pub(super) fn among<T>(
        &self,
        groups: &mut InMemoryGroups,
        now: Instant,
        act: impl FnOnce(&mut Group, u64, Instant) -> T,
    ) -> Option<T> {
        let group = groups.group(&self.place, now)?;
        let member = self.place.member;
        group.is_open(member).then(|| act(group, member, now))
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.with(Group::end);
    }
}

impl InMemoryBroker {
    /// Lets the groups do something, and wakes those who wait if that concerns them.
    pub(super) fn engine<T>(&self, act: impl FnOnce(&mut InMemoryGroups, &Log) -> T) -> T {
        let (answer, stirred) = self.consuming(|groups, log| (act(groups, log), groups.stirred()));
        if stirred {
            self.deliverable().notify_waiters();
        }
        answer
    }
}
