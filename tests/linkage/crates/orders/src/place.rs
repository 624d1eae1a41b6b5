use std::sync::Arc;

use diator::prelude::*;
use orders_contracts::{Log, OrderConfirmed, OrderPlaced, PlaceOrder, ReserveStock};

#[request_handler(PlaceOrder)]
pub(crate) struct PlaceOrderHandler {
    log: Arc<Log>,
}

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<u64, BoxError> {
        let reserved = cx.send(ReserveStock { article: command.article.clone() }).await?;
        let again = cx.send_dyn(ReserveStock { article: command.article }).await?;
        self.log.write(format!("placed: {reserved:?}, {again:?}"));
        cx.emit(OrderPlaced { number: 1 });
        cx.emit(OrderConfirmed { number: 1 });
        Ok(1)
    }
}

#[event_handler(OrderPlaced)]
pub(crate) struct WriteReceipt {
    log: Arc<Log>,
}

impl EventHandler<OrderPlaced> for WriteReceipt {
    async fn handle(&self, event: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.log.write(format!("receipt {}", event.number));
        Ok(())
    }
}

/// Runs for confirmations that arrive from another process.
#[event_handler(OrderConfirmed)]
pub(crate) struct WriteConfirmation {
    log: Arc<Log>,
}

impl EventHandler<OrderConfirmed> for WriteConfirmation {
    async fn handle(&self, event: &OrderConfirmed, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.log.write(format!("confirmation {}", event.number));
        Ok(())
    }
}
