//! What matters on the wire is said of an event that stays in the process, and the other way round.

use diator::prelude::*;

#[derive(Debug, DomainEvent)]
#[event(topic = "orders", key = id, alias = "Placed")]
struct OrderPlaced {
    pub id: u64,
}

#[derive(Debug, serde::Serialize, EcstEvent)]
#[event(must_be_handled)]
struct OrderChanged {
    id: u64,
}

fn main() {}
