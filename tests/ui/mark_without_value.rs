//! Marks that say nothing.

use diator::prelude::*;

#[derive(Debug, Command)]
#[request(mark, idempotent)]
struct PlaceOrder;

#[derive(Debug, DomainEvent)]
#[event(mark = , marks = Audited)]
struct OrderPlaced;

fn main() {}
