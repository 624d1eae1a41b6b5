//! An event from the broker is handled, but cannot be read.

use diator::prelude::*;

#[derive(Debug, serde::Serialize, EcstEvent)]
struct OrderChanged {
    id: u64,
}

#[event_handler(OrderChanged)]
struct UpdateView;

impl EventHandler<OrderChanged> for UpdateView {
    async fn handle(&self, _: &OrderChanged, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}
