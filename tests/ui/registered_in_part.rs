//! A handler that the registry is to have for one of its messages only.

use diator::prelude::*;

#[derive(Debug, Command)]
#[request(unregistered)]
struct PlaceOrder;

#[derive(Debug, DomainEvent)]
struct OrderPlaced;

#[request_handler(PlaceOrder, unregistered)]
#[event_handler(OrderPlaced)]
struct Orders;

fn main() {}
