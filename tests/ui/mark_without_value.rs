//! Marks that say nothing.

use diator::prelude::*;

#[derive(Debug, Command)]
#[request(mark, response = u64)]
struct PlaceOrder;

#[derive(Debug, DomainEvent)]
#[event(mark = , marks = Audited)]
struct OrderPlaced;

fn main() {}
