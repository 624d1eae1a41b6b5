use std::sync::Arc;

use async_trait::async_trait;
use diator::subscription::{ConsumeError, Source, Taken};
use tokio::time::Instant;

use super::opening::Opening;

/// Where the deliveries of one opening come from.
pub(super) struct RedisSource(pub(super) Arc<Opening>);

#[async_trait]
impl Source for RedisSource {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        let shared = &self.0.shared;
        loop {
            let stirred = shared.stirred.notified();
            {
                let mut state = shared.state();
                if let Some(over) = state.over() {
                    return Err(over);
                }
                if let Some(news) = state.owners.news() {
                    return Ok(news);
                }
                state.in_hand.grant(credit);
                let deliveries = state.in_hand.take(Instant::now());
                if !deliveries.is_empty() {
                    return Ok(Taken::Deliveries(deliveries));
                }
                if state.waiting.is_some_and(|(_, asked)| asked > credit) {
                    shared.interrupt.notify_one();
                }
            }
            if credit > 0 {
                shared.wanted.notify_one();
            }
            stirred.await;
        }
    }
}

impl Drop for RedisSource {
    fn drop(&mut self) {
        self.0.shared.state().is_deaf = true;
        self.0.shared.wanted.notify_one();
        self.0.shared.interrupt.notify_one();
    }
}
