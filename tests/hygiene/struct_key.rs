//! A type that is called like the key of an event.

#![allow(dead_code, non_camel_case_types)]

use diator::prelude::*;
use serde::Serialize;

struct key;

#[derive(Debug, Serialize, EcstEvent)]
#[event(key = id)]
enum Moved {
    Sent { id: u64 },
    Lost { id: u64, at: String },
}

pub(crate) fn main() {
    assert_eq!(Moved::Sent { id: 7 }.key().unwrap(), "7");
    assert_eq!(Moved::Lost { id: 8, at: String::new() }.key().unwrap(), "8");
}
