//! Messages and handlers may live in a function, as in a test.

#![deny(warnings)]

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

fn main() {
    #[derive(Debug, DomainEvent)]
    struct OrderPlaced;

    #[request_handler(PlaceOrder)]
    #[event_handler(OrderPlaced)]
    struct Orders;

    impl RequestHandler<PlaceOrder> for Orders {
        async fn handle(&self, _: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
            cx.emit(OrderPlaced);
            Ok(())
        }
    }

    impl EventHandler<OrderPlaced> for Orders {
        async fn handle(&self, _: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mediator = Mediator::from_registry().build().unwrap();
    runtime.block_on(mediator.send(PlaceOrder)).unwrap();
}
