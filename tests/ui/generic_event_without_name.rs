//! A generic event has no name of its own.

use diator::prelude::*;
use serde::Serialize;

#[derive(Debug, Serialize, NotificationEvent)]
struct Changed<T: Serialize> {
    now: T,
}

fn main() {}
