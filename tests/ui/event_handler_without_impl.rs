//! The attribute is there, the `impl` is not.

use diator::prelude::*;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

#[event_handler(OrderPlaced)]
struct NotifyCustomer;

fn main() {}
