//! The key of an event cannot be made a text.

use diator::prelude::*;
use serde::Serialize;

#[derive(Debug, Serialize, EcstEvent)]
#[event(key = ids)]
struct OrdersChanged {
    ids: Vec<u64>,
}

fn main() {}
