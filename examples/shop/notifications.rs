//! Notifications: a customer who was charged gets a letter, which is a row here.

use std::sync::Arc;

use diator::prelude::*;

use crate::contracts::{CustomerNotified, OrderCharged};
use crate::database::Transaction;

#[event_handler(OrderCharged, id = "notifications.write")]
pub struct Write {
    transaction: Arc<Transaction>,
}

impl EventHandler<OrderCharged> for Write {
    async fn handle(&self, charged: &OrderCharged, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        let OrderCharged { order_id, customer, cents } = charged;
        let text = format!("Dear {customer}, order {order_id} costs {}.{:02} euros.", cents / 100, cents % 100);
        let write = sqlx::query("INSERT INTO notifications VALUES ($1, $2, $3)").bind(order_id).bind(customer);
        write.bind(&text).execute(&mut *self.transaction.connection().await?).await?;
        cx.emit(CustomerNotified { order_id: *order_id, customer: customer.clone(), text });
        Ok(())
    }
}

/// As in billing, a second letter would be a second row.
pub const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS notifications (order_id bigint NOT NULL, customer text NOT NULL, text text NOT NULL);
";
