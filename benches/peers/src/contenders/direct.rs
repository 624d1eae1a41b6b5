//! No mediator: the caller knows the handler.

use diator::BoxError;
use diator_benches::handled;

async fn add(number: u64) -> Result<u64, BoxError> {
    handled();
    Ok(number + 1)
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    async |number| add(number).await.unwrap()
}
