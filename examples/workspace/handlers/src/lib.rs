//! The handlers of the ticket service, and traits for the services that they need.
//!
//! The handlers are private. A program links them with `diator::link!(tickets_handlers);` and implements the traits.

mod charge_guest;
mod free_seats;
mod sell_seat;
mod services;

pub use self::services::{Accounts, Seats};
