use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::PublishError;
use super::receipt::Answer;

/// Publishes the messages of a batch one after the other, within one deadline for all of them.
pub(super) struct Turns {
    /// When the call began, and how long it may take; `None` where the broker names no time.
    limit: Option<(Instant, Duration)>,
}

impl Turns {
    pub(super) fn new(deadline: Option<Duration>) -> Self {
        Self { limit: deadline.map(|deadline| (Instant::now(), deadline)) }
    }

    /// Gives one message its turn, unless the time is up.
    pub(super) async fn take(&self, publishing: impl Future<Output = Answer>) -> Answer {
        let Some((begun, deadline)) = self.limit else { return publishing.await };
        let left = deadline.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Err(PublishError::transient("the deadline of the batch passed before the turn of the message"));
        }
        let late = |_| Err(PublishError::ambiguous("the deadline of the batch passed before the broker answered"));
        timeout(left, publishing).await.unwrap_or_else(late)
    }
}
