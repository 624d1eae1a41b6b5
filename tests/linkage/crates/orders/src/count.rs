use std::sync::Arc;

use diator::prelude::*;
use orders_contracts::{CountOrders, Log};

#[request_handler(CountOrders)]
pub(crate) struct CountOrdersHandler {
    log: Arc<Log>,
}

impl RequestHandler<CountOrders> for CountOrdersHandler {
    async fn handle(&self, _: CountOrders, _: &mut RequestContext<'_, CountOrders>) -> Result<usize, BoxError> {
        Ok(self.log.lines().iter().filter(|line| line.starts_with("placed")).count())
    }
}
