use std::sync::Arc;

use diator::async_trait;
use diator::subscription::{ConsumeError, Source, Taken};

use crate::shared::{Held, State};
use crate::subscription::Opening;

/// Where the deliveries of one opening come from.
pub(crate) struct KafkaSource(pub(crate) Arc<Opening>);

#[async_trait]
impl Source for KafkaSource {
    async fn next(&mut self, credit: usize) -> Result<Taken, ConsumeError> {
        let shared = &self.0.shared;
        loop {
            let stirred = shared.stirred.notified();
            if let Some(taken) = look(&mut shared.state(), credit)? {
                return Ok(taken);
            }
            stirred.await;
        }
    }
}

fn look(state: &mut State, credit: usize) -> Result<Option<Taken>, ConsumeError> {
    if let Some(over) = state.over() {
        return Err(over);
    }
    if let Some(news) = state.news.pop_front() {
        return Ok(Some(news));
    }
    let mut deliveries = Vec::new();
    while deliveries.len() < credit
        && let Some((place, offset, delivery)) = state.ready.pop_front()
    {
        let owned = state.owned.get_mut(&place).expect("what is ready has an owner");
        owned.yielded = Some(offset + 1);
        let held = Held { ownership: owned.ownership, place, offset, delivery: delivery.clone(), buried: false };
        state.held.insert(delivery.tag.0, held);
        deliveries.push(delivery);
    }
    Ok((!deliveries.is_empty()).then_some(Taken::Deliveries(deliveries)))
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        let mut state = self.0.shared.state();
        state.deaf = true;
        state.ready.clear();
    }
}
