//! One attribute names two events.

use diator::prelude::*;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

#[derive(Debug, DomainEvent)]
struct OrderCancelled;

#[event_handler(OrderPlaced, OrderCancelled, order = 1)]
struct NotifyCustomer;

fn main() {}
