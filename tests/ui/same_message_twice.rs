//! A handler is registered for one message twice.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

#[request_handler(PlaceOrder, PlaceOrder)]
#[event_handler(OrderPlaced)]
#[event_handler(OrderPlaced, after_commit)]
struct PlaceOrderHandler;

fn main() {}
