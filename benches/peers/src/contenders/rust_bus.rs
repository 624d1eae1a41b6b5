//! rust_bus 3, in memory: events only.

use std::hint::black_box;

use diator::BoxError;
use rust_bus::contracts::meta::BusMetadata;
use rust_bus::{BusEvent, BusEventHandler, bus};

use crate::handled;

#[BusEvent]
struct AddedForOne {
    number: u64,
}

#[BusEvent]
struct AddedForTen {
    number: u64,
}

#[BusEventHandler]
async fn note_for_one(event: &AddedForOne, _: &BusMetadata) -> Result<(), BoxError> {
    black_box(event.number);
    handled();
    Ok(())
}

macro_rules! for_ten {
    ($($name:ident)*) => {
        $(
            #[BusEventHandler]
            async fn $name(event: &AddedForTen, _: &BusMetadata) -> Result<(), BoxError> {
                black_box(event.number);
                handled();
                Ok(())
            }
        )*
    };
}

for_ten!(a b c d e f g h i j);

/// What is registered at link time is collected, once for the program.
pub(crate) async fn init() {
    rust_bus::init().await.unwrap();
}

pub(crate) fn emit_to_1() -> impl AsyncFnMut(u64) {
    let metadata = BusMetadata::default();
    async move |number| bus::event(AddedForOne { number }, &metadata).await.unwrap()
}

pub(crate) fn emit_to_10() -> impl AsyncFnMut(u64) {
    let metadata = BusMetadata::default();
    async move |number| bus::event(AddedForTen { number }, &metadata).await.unwrap()
}
