//! Fields that are not compiled are not injected.

use std::sync::Arc;

use diator::prelude::*;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

#[event_handler(OrderPlaced)]
struct NotifyCustomer {
    #[cfg(any())]
    absent: NoSuchType,
    #[cfg(all())]
    present: Arc<u64>,
    #[cfg_attr(all(), inject(default))]
    count: u64,
}

impl EventHandler<OrderPlaced> for NotifyCustomer {
    async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        println!("{} {}", self.present, self.count);
        Ok(())
    }
}

fn main() {
    use diator::registry::Registered;
    let fields: Vec<_> = NotifyCustomer::DESCRIPTORS[0].dependencies().iter().map(|one| one.field).collect();
    assert_eq!(fields, ["present"]);
}
