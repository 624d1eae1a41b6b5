//! Constants that are called like variables of what `schema` writes.

#![allow(dead_code, non_upper_case_globals)]

use diator::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

const own: u8 = 0;
const settings: u8 = 0;
const transform: u8 = 0;
const written: u8 = 0;

#[derive(Debug, Serialize, JsonSchema, EcstEvent)]
#[event(schema)]
struct Moved {
    id: u64,
}

pub(crate) fn main() {
    assert!(Moved::SCHEMA.is_some());
}
