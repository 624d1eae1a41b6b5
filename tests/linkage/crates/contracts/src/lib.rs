//! What a shop's processes say to each other, and the service that their handlers need. There is no handler here.

use std::sync::{Mutex, PoisonError};

use diator::prelude::*;
use serde::{Deserialize, Serialize};

/// Places an order, and answers its number.
#[derive(Debug, Command)]
#[request(response = u64)]
pub struct PlaceOrder {
    /// What is ordered.
    pub article: String,
}

/// Takes an article from the stock; [`PlaceOrder`]'s handler sends it.
#[derive(Debug, Command)]
#[request(response = Reserved)]
pub struct ReserveStock {
    /// What is taken.
    pub article: String,
}

/// Who reserved the stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The handler of the crate `orders`.
    InTheWarehouse,
    /// A fake.
    OnPaper,
}

/// Counts the orders that were placed. Two crates handle it.
#[derive(Debug, Query)]
#[request(response = usize)]
pub struct CountOrders;

/// An order was placed.
#[derive(Debug, DomainEvent)]
pub struct OrderPlaced {
    /// The order's number.
    pub number: u64,
}

/// Tells other processes that an order was placed.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
pub struct OrderConfirmed {
    /// The order's number.
    pub number: u64,
}

/// What the handlers did, in order; the program gives it to them.
#[derive(Debug, Default)]
pub struct Log(Mutex<Vec<String>>);

impl Log {
    /// Adds a line.
    pub fn write(&self, line: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
    }

    /// All lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
