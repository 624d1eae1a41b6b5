//! Handles an event that `orders` handles too.

use std::sync::Arc;

use diator::prelude::*;
use orders_contracts::{Log, OrderPlaced};

#[event_handler(OrderPlaced)]
struct WriteBill {
    log: Arc<Log>,
}

impl EventHandler<OrderPlaced> for WriteBill {
    async fn handle(&self, event: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.log.write(format!("bill {}", event.number));
        Ok(())
    }
}
