use diator::prelude::*;
use orders_contracts::CountOrders;

#[request_handler(CountOrders)]
struct CountOldOrders;

impl RequestHandler<CountOrders> for CountOldOrders {
    async fn handle(&self, _: CountOrders, _: &mut RequestContext<'_, CountOrders>) -> Result<usize, BoxError> {
        Ok(0)
    }
}
