//! Marks that cannot be read in `build()`: computed, shared without a lock, without a value.

use std::cell::Cell;

use diator::prelude::*;

struct RateLimit(u32);

impl RateLimit {
    fn from_environment() -> Self {
        Self(5)
    }
}

struct Counter(Cell<u32>);

#[derive(Debug, Command)]
#[request(mark = RateLimit::from_environment())]
struct PlaceOrder;

#[derive(Debug, DomainEvent)]
#[event(mark = Counter(Cell::new(0)))]
struct OrderPlaced;

#[derive(Debug, Query)]
#[request(mark = Audited)]
struct FindOrder;

fn main() {}
