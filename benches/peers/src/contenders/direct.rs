//! No mediator: the caller knows the handler.

use std::hint::black_box;

use diator::BoxError;

use crate::handled;

async fn add(number: u64) -> Result<u64, BoxError> {
    handled();
    Ok(number + 1)
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    async |number| add(number).await.unwrap()
}

/// What several tasks do without anything in common.
pub(crate) async fn repeat(times: u64) {
    for number in 0..times * 10 {
        black_box(add(black_box(number)).await.unwrap());
    }
}
