//! What the shop does: an order has the next number of its key, and tells of itself.

use std::sync::Arc;

use diator::prelude::*;

/// Places orders of one key, with the ids from `first` on.
#[derive(Clone, Debug, Command)]
#[request(idempotent)]
pub(crate) struct PlaceOrders {
    pub(crate) first: i64,
    pub(crate) count: i64,
    pub(crate) key: String,
    /// Another key whose counter it locks.
    pub(crate) crosses: Option<String>,
    pub(crate) parcel: bool,
    /// Makes the bodies so much longer.
    pub(crate) note: usize,
}

#[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
#[event(topic = "orders", key = key)]
pub(crate) struct OrderPlaced {
    order_id: i64,
    key: String,
    version: i64,
    note: String,
}

#[derive(Debug, serde::Serialize, serde::Deserialize, NotificationEvent)]
#[event(topic = "parcels", key = key)]
pub(crate) struct ParcelPlaced {
    order_id: i64,
    key: String,
    version: i64,
}

/// The tables of the shop, in the transaction of the message.
#[diator::async_trait]
pub(crate) trait OrderBook: Send + Sync {
    /// The next number of a key; whoever asks for the same key waits until this one commits.
    async fn number(&self, key: &str) -> Result<i64, BoxError>;

    async fn lock(&self, key: &str) -> Result<(), BoxError>;

    async fn add(&self, order: i64, key: &str, version: i64) -> Result<(), BoxError>;
}

#[request_handler(PlaceOrders)]
struct PlaceOrdersHandler {
    book: Arc<dyn OrderBook>,
}

impl RequestHandler<PlaceOrders> for PlaceOrdersHandler {
    async fn handle(&self, command: PlaceOrders, cx: &mut RequestContext<'_, PlaceOrders>) -> Result<(), BoxError> {
        let PlaceOrders { first, count, key, crosses, parcel, note } = command;
        for order_id in first..first + count {
            let version = self.book.number(&key).await?;
            self.book.add(order_id, &key, version).await?;
            if parcel {
                cx.emit(ParcelPlaced { order_id, key: key.clone(), version });
            } else {
                cx.emit(OrderPlaced { order_id, key: key.clone(), version, note: "x".repeat(note) });
            }
        }
        if let Some(other) = crosses {
            self.book.lock(&other).await?;
        }
        Ok(())
    }
}
