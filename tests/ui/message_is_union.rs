//! Messages that are unions.

use diator::prelude::*;

#[derive(Command)]
union PlaceOrder {
    pub id: u64,
}

#[derive(DomainEvent)]
union OrderPlaced {
    pub id: u64,
}

fn main() {}
