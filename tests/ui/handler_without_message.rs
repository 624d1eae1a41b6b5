//! The attributes do not say what is handled.

use diator::prelude::*;

#[request_handler]
struct PlaceOrderHandler;

#[event_handler(order = 1)]
struct NotifyCustomer;

fn main() {}
