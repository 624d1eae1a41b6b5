use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::timeout_at;

use super::group::Group;
use super::opening::Opening;
use crate::subscription::{ConsumeError, Source, Taken};

/// Where the deliveries of one opening come from; it reads nothing ahead.
pub(super) struct InMemorySource {
    opening: Arc<Opening>,
}

impl InMemorySource {
    pub(super) fn new(opening: Arc<Opening>) -> Self {
        Self { opening }
    }
}

#[async_trait]
impl Source for InMemorySource {
    // Nothing is taken before the moment in which it is yielded, so that a future that is dropped loses nothing.
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        let broker = &self.opening.broker;
        loop {
            let stirred = broker.deliverable().notified();
            if broker.engine(|groups, _| groups.faults.is_deaf()) {
                stirred.await;
                continue;
            }
            let looked = self.opening.with(|group, member, now| (group.look(member, credit, now), group.due()));
            match looked.ok_or_else(over)? {
                (Some(taken), _) => return Ok(taken),
                (None, Some(due)) => _ = timeout_at(due, stirred).await,
                (None, None) => stirred.await,
            }
        }
    }
}

impl Drop for InMemorySource {
    fn drop(&mut self) {
        self.opening.with(Group::stop_reading);
    }
}

pub(super) fn over() -> ConsumeError {
    ConsumeError::closed("in-memory broker has ended the connection")
}
