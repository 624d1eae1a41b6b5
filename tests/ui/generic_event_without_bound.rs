//! A generic event for the broker does not say that what it holds can be written.

use diator::prelude::*;
use serde::Serialize;

#[derive(Debug, Serialize, EcstEvent)]
#[event(name = "snapshot")]
struct Snapshot<T> {
    pub item: T,
}

fn main() {}
