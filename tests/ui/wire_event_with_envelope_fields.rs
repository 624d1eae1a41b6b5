//! An event for the broker has fields that its envelope writes.

use diator::prelude::*;

#[derive(Debug, serde::Serialize, NotificationEvent)]
struct OrderPlaced {
    event_id: u64,
    event_timestamp: u64,
}

fn main() {}
