//! A schema is asked for, and the crate does not depend on what makes one.

use diator::prelude::*;
use serde::Serialize;

#[derive(Debug, Serialize, NotificationEvent)]
#[event(topic = "orders", schema)]
struct OrderPlaced {
    order_id: u64,
}

fn main() {}
