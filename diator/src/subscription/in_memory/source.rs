use std::num::NonZeroUsize;
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

    // Nothing is taken before the moment in which it is yielded, so that a future that is dropped loses nothing.
    async fn wait(&self, credit: Option<NonZeroUsize>) -> Result<Taken, ConsumeError> {
        let broker = &self.opening.broker;
        loop {
            let stirred = broker.deliverable().notified();
            if broker.engine(|groups, _| groups.faults.deaf) {
                stirred.await;
                continue;
            }
            let looked = self.opening.with(|group, member, now| (group.look(member, credit, now), group.due()));
            let Some((looked, due)) = looked else {
                return Err(ConsumeError::transient("in-memory broker has no such opening"));
            };
            match (looked?, due) {
                (Some(taken), _) => return Ok(taken),
                (None, Some(due)) => _ = timeout_at(due, stirred).await,
                (None, None) => stirred.await,
            }
        }
    }
}

#[async_trait]
impl Source for InMemorySource {
    async fn next(&mut self, credit: NonZeroUsize) -> Result<Taken, ConsumeError> {
        self.wait(Some(credit)).await
    }

    async fn revocation(&mut self) -> Result<Taken, ConsumeError> {
        self.wait(None).await
    }
}

impl Drop for InMemorySource {
    fn drop(&mut self) {
        self.opening.with(Group::stop_reading);
    }
}
