//! The key of an event is none of its fields.

use diator::prelude::*;
use serde::Serialize;

#[derive(Debug, Serialize, EcstEvent)]
#[event(key = order_id)]
struct OrderChanged {
    id: u64,
}

#[derive(Debug, Serialize, EcstEvent)]
#[event(key = id)]
enum OrderMoved {
    Sent { id: u64 },
    Lost,
}

fn main() {}
