//! An `async fn` is added as it is.

use diator::Mediator;
use diator::middleware::{Call, Handled, Next};

async fn log(call: &mut Call<'_>, next: Next<'_>) -> Handled {
    next.run(call).await
}

fn main() {
    let _builder = Mediator::builder().middleware(log);
}
