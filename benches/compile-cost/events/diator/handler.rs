use std::sync::Arc;
use diator::prelude::*;
use crate::Total;

#[derive(Debug, DomainEvent)]
pub struct Added { pub number: u64 }

#[event_handler(Added)]
struct CountAdded { total: Arc<Total> }

impl EventHandler<Added> for CountAdded {
    async fn handle(&self, event: &Added, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.total.add(event.number);
        Ok(())
    }
}
