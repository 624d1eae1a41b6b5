//! Handles what `orders-contracts` declares, with handlers that nobody outside can name.

mod count;
mod place;
mod reserve;

use diator::{Handlers, handlers};

/// All handlers of this crate, for programs without link-time registration.
#[must_use]
pub fn handlers() -> Handlers {
    handlers![
        count::CountOrdersHandler,
        place::PlaceOrderHandler,
        place::WriteConfirmation,
        place::WriteReceipt,
        reserve::ReserveStockHandler,
    ]
}

/// The handlers that change something.
#[must_use]
pub fn writers() -> Handlers {
    handlers![place::PlaceOrderHandler, place::WriteReceipt, reserve::ReserveStockHandler]
}
