//! An event for the broker cannot be written.

use diator::prelude::*;

#[derive(Debug, NotificationEvent)]
struct OrderPlaced {
    pub id: u64,
}

fn main() {}
