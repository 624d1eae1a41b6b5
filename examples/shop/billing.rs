//! Billing: it charges orders that were placed, and refunds orders that were cancelled.
//!
//! A charge happens once, although an event can come twice: the inbox notes the event in the transaction of the
//! handler. The handlers contain no line for that.

use std::sync::Arc;

use diator::prelude::*;

use crate::contracts::{OrderCancelled, OrderCharged, OrderPlaced};
use crate::database::Transaction;

#[event_handler(OrderPlaced, id = "billing.charge")]
pub struct Charge {
    transaction: Arc<Transaction>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, order: &OrderPlaced, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        let charge = sqlx::query("INSERT INTO charges VALUES ($1, $2)").bind(order.order_id).bind(order.cents);
        charge.execute(&mut *self.transaction.connection().await?).await?;
        cx.emit(OrderCharged { order_id: order.order_id, customer: order.customer.clone(), cents: order.cents });
        Ok(())
    }
}

#[event_handler(OrderCancelled, id = "billing.refund")]
pub struct Refund {
    transaction: Arc<Transaction>,
}

impl EventHandler<OrderCancelled> for Refund {
    async fn handle(&self, order: &OrderCancelled, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        // The charge is there, because the events of an order come in their order.
        let refund = "INSERT INTO refunds SELECT order_id, cents FROM charges WHERE order_id = $1";
        sqlx::query(refund).bind(order.order_id).execute(&mut *self.transaction.connection().await?).await?;
        Ok(())
    }
}

/// No column is unique: a constraint would hide a second charge, and the shop shows that there is none.
pub const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS charges (order_id bigint NOT NULL, cents bigint NOT NULL);
    CREATE TABLE IF NOT EXISTS refunds (order_id bigint NOT NULL, cents bigint NOT NULL);
    CREATE INDEX IF NOT EXISTS charges_of_order ON charges (order_id);
";
