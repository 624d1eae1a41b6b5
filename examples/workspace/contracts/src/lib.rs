//! The messages of the ticket service. There is no handler here.
//!
//! A crate that talks to the service depends on this crate, and not on the handlers.

use diator::prelude::*;
use serde::{Deserialize, Serialize};

/// Sells a seat to a guest, and answers its price.
#[derive(Debug, Command)]
#[request(response = u32, error = SellError)]
pub struct SellSeat {
    /// The number of the seat.
    pub seat: u32,
    /// The guest, who pays for it.
    pub guest: String,
}

/// Why a seat was not sold.
#[derive(Debug, thiserror::Error)]
pub enum SellError {
    /// Another guest has the seat, or there is no such seat.
    #[error("seat {0} is not free")]
    NotFree(u32),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] BoxError),
}

/// Lists the numbers of the free seats.
#[derive(Debug, Query)]
#[request(response = Vec<u32>)]
pub struct FreeSeats;

/// A seat was sold. The handlers of this event run in the transaction of the sale.
///
/// `build()` fails in a program that has no handler for it, such as one that forgot to link a crate.
#[derive(Debug, DomainEvent)]
#[event(must_be_handled)]
pub struct SeatSold {
    /// The guest, who pays for it.
    pub guest: String,
    /// The price of the seat.
    pub price: u32,
}

/// Tells other services, after the commit, that a ticket was issued.
#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
pub struct TicketIssued {
    /// The number of the seat.
    pub seat: u32,
    /// The guest, who may sit there.
    pub guest: String,
}
