use std::sync::Arc;

use diator::deliveries::{DeliveryFilter, DeliveryStore};
use tokio::time::sleep_until;

use super::Act;
use crate::handlers::HANDLERS;
use crate::world::World;

/// Replays and discards as planned. A call that fails is not repeated: another act may follow.
pub(crate) async fn operate(world: World, store: Arc<dyn DeliveryStore>) {
    let acts = world.plan().store.as_ref().map(|plan| plan.acts.clone()).unwrap_or_default();
    for (at, act) in acts {
        sleep_until(world.begun() + at).await;
        let filter = match act {
            Act::Replay => DeliveryFilter::dead(),
            Act::ReplayOf(handler) => of_handler(HANDLERS[handler]),
            Act::ReplayOne => one_of(&world, DeliveryFilter::dead()),
            Act::DiscardOne => one_of(&world, DeliveryFilter::default()),
        };
        let store = store.clone();
        let acting = async move {
            match act {
                Act::DiscardOne => store.discard(&filter).await,
                Act::Replay | Act::ReplayOf(_) | Act::ReplayOne => store.replay(&filter).await,
            }
        };
        // A call may panic, and what it counts is for people.
        let _counted = tokio::spawn(acting).await;
    }
    world.state().has_operated = true;
}

fn of_handler(handler: &str) -> DeliveryFilter {
    let mut filter = DeliveryFilter::dead();
    filter.handler = Some(handler.to_owned());
    filter
}

/// One of those that match, by its number; no row, if there is none.
fn one_of(world: &World, filter: DeliveryFilter) -> DeliveryFilter {
    let rows = world.with_store(|database, _| database.list(&filter));
    let place = world.state().random.below(rows.len());
    let mut one = filter;
    one.ids = vec![rows.get(place).map_or(i64::MAX, |row| row.id)];
    one
}
