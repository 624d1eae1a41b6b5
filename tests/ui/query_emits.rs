//! The handler of a query emits an event.

use diator::prelude::*;

#[derive(Debug, Query)]
struct CountOrders;

#[derive(Debug, DomainEvent)]
struct OrdersCounted;

#[request_handler(CountOrders)]
struct CountOrdersHandler;

impl RequestHandler<CountOrders> for CountOrdersHandler {
    async fn handle(&self, _: CountOrders, cx: &mut RequestContext<'_, CountOrders>) -> Result<(), BoxError> {
        cx.emit(OrdersCounted);
        Ok(())
    }
}

fn main() {}
