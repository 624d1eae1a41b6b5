use std::sync::Arc;

use diator::prelude::*;
use orders_contracts::{Log, ReserveStock, Reserved};

#[request_handler(ReserveStock)]
pub(crate) struct ReserveStockHandler {
    log: Arc<Log>,
}

impl RequestHandler<ReserveStock> for ReserveStockHandler {
    async fn handle(
        &self,
        command: ReserveStock,
        _: &mut RequestContext<'_, ReserveStock>,
    ) -> Result<Reserved, BoxError> {
        self.log.write(format!("reserved {}", command.article));
        Ok(Reserved::InTheWarehouse)
    }
}
