use std::fmt;
use std::sync::Arc;
use diator::prelude::*;
use crate::{Ledger, Prices, Stock};

#[derive(Debug, Command)]
#[request(response = Receipt, error = OrderError)]
pub struct Order { pub article: u64, pub pieces: u64 }

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

#[derive(Debug, DomainEvent)]
pub struct Ordered { pub number: u64 }

#[request_handler(Order)]
struct OrderHandler { stock: Arc<Stock>, prices: Arc<Prices>, ledger: Arc<Ledger> }

impl RequestHandler<Order> for OrderHandler {
    async fn handle(&self, order: Order, cx: &mut RequestContext<'_, Order>) -> Result<Receipt, OrderError> {
        let article = self.stock.find(order.article).await.ok_or(OrderError::Unknown(order.article))?;
        let amount = self.prices.of(&article).await * order.pieces;
        if !self.stock.take(&article, order.pieces).await {
            return Err(OrderError::SoldOut { pieces: order.pieces, left: article.left });
        }
        let number = self.ledger.write(amount).await.map_err(OrderError::Ledger)?;
        cx.emit(Ordered { number });
        Ok(Receipt { number, amount })
    }
}
