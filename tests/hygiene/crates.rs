//! Modules of the program that are called like crates.

#![allow(dead_code)]

mod alloc {}
mod core {}
mod diator {}
mod diator_macros {}
mod inventory {}
mod serde {}
mod std {}
mod tokio {}
mod __private {}

include!("program/every_macro.rs");
