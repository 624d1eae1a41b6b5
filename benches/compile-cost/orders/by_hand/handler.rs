use std::fmt;
use std::sync::Arc;
use diator::BoxError;
use crate::{Events, Ledger, Message, Prices, Stock};

#[derive(Debug)]
pub struct Order { pub article: u64, pub pieces: u64 }

impl Message for Order {
    type Response = Receipt;
    type Error = OrderError;
}

#[derive(Debug, PartialEq)]
pub struct Receipt { pub number: u64, pub amount: u64 }

#[derive(Debug)]
pub enum OrderError {
    Unknown(u64),
    SoldOut { pieces: u64, left: u64 },
    Ledger(BoxError),
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(id) => write!(f, "there is no article {id}"),
            Self::SoldOut { pieces, left } => write!(f, "{pieces} are wanted, and {left} are left"),
            Self::Ledger(_) => f.write_str("the order could not be written"),
        }
    }
}

impl std::error::Error for OrderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Ledger(error) => Some(&**error),
            Self::Unknown(_) | Self::SoldOut { .. } => None,
        }
    }
}

#[derive(Debug)]
pub struct Ordered { pub number: u64 }

pub struct OrderHandler { pub stock: Arc<Stock>, pub prices: Arc<Prices>, pub ledger: Arc<Ledger> }

impl OrderHandler {
    pub async fn handle(self: Arc<Self>, order: Order, events: Events) -> Result<Receipt, OrderError> {
        let article = self.stock.find(order.article).await.ok_or(OrderError::Unknown(order.article))?;
        let amount = self.prices.of(&article).await * order.pieces;
        if !self.stock.take(&article, order.pieces).await {
            return Err(OrderError::SoldOut { pieces: order.pieces, left: article.left });
        }
        let number = self.ledger.write(amount).await.map_err(OrderError::Ledger)?;
        events.emit(Ordered { number });
        Ok(Receipt { number, amount })
    }
}
