//! An `async fn` is added as it is.

use diator::Mediator;
use diator::middleware::{Call, Answered, Next};

async fn log(call: &mut Call<'_>, next: Next<'_>) -> Answered {
    next.run(call).await
}

fn main() {
    let _builder = Mediator::builder().middleware(log);
}
