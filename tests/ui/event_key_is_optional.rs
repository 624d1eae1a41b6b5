//! The key of an event may be missing.

use diator::prelude::*;
use serde::Serialize;

#[derive(Debug, Serialize, EcstEvent)]
#[event(key = order_id)]
struct OrderChanged {
    order_id: Option<u64>,
}

fn main() {}
