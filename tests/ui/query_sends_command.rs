//! The handler of a query sends a command.

use diator::prelude::*;

#[derive(Debug, Query)]
struct CountOrders;

#[derive(Debug, Command)]
struct PlaceOrder;

#[request_handler(CountOrders)]
struct CountOrdersHandler;

impl RequestHandler<CountOrders> for CountOrdersHandler {
    async fn handle(&self, _: CountOrders, cx: &mut RequestContext<'_, CountOrders>) -> Result<(), BoxError> {
        cx.send_dyn(PlaceOrder).await?;
        Ok(())
    }
}

fn main() {}
