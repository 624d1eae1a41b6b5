use std::sync::Arc;

use diator::prelude::*;
use tickets_contracts::SeatSold;

use crate::Accounts;

#[event_handler(SeatSold)]
struct ChargeGuest {
    accounts: Arc<dyn Accounts>,
}

impl EventHandler<SeatSold> for ChargeGuest {
    async fn handle(&self, event: &SeatSold, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.accounts.charge(&event.guest, event.price).await
    }
}

/// One handler alone: only its own services are needed. `tests/sale.rs` has all handlers of the crate.
#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use diator::async_trait;

    use super::*;

    #[derive(Default)]
    struct Charged(Mutex<Vec<(String, u32)>>);

    #[async_trait]
    impl Accounts for Charged {
        async fn charge(&self, guest: &str, amount: u32) -> Result<(), BoxError> {
            self.0.lock().unwrap().push((guest.to_owned(), amount));
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_guest_pays_the_price() {
        let charged = Arc::new(Charged::default());
        let services = Services::new().singleton::<dyn Accounts>(charged.clone());
        let mediator = Mediator::builder().handlers(handlers![ChargeGuest]).container(services).build().unwrap();
        mediator.emit(SeatSold { guest: "Ada".to_owned(), price: 20 }).await.unwrap();
        assert_eq!(*charged.0.lock().unwrap(), [("Ada".to_owned(), 20)]);
    }
}
