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
    pub(crate) note: String,
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
    /// The next numbers of a key, of which it returns the last; whoever asks for the same key waits until this one commits.
    async fn numbers(&self, key: &str, count: i64) -> Result<i64, BoxError>;

    async fn lock(&self, key: &str) -> Result<(), BoxError>;

    /// Adds orders with ids and versions from these on.
    async fn add(&self, first: i64, key: &str, version: i64, count: i64) -> Result<(), BoxError>;
}

#[request_handler(PlaceOrders)]
struct PlaceOrdersHandler {
    book: Arc<dyn OrderBook>,
}

impl RequestHandler<PlaceOrders> for PlaceOrdersHandler {
    async fn handle(&self, command: PlaceOrders, cx: &mut RequestContext<'_, PlaceOrders>) -> Result<(), BoxError> {
        let PlaceOrders { first, count, key, crosses, parcel, note } = command;
        let from = self.book.numbers(&key, count).await? - count + 1;
        self.book.add(first, &key, from, count).await?;
        for (order_id, version) in (first..first + count).zip(from..) {
            if parcel {
                cx.emit(ParcelPlaced { order_id, key: key.clone(), version });
            } else {
                cx.emit(OrderPlaced { order_id, key: key.clone(), version, note: note.clone() });
            }
        }
        if let Some(other) = crosses {
            self.book.lock(&other).await?;
        }
        Ok(())
    }
}
