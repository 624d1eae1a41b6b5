//! What makes the middleware answers with a `Result`.

use std::time::Duration;

use diator::Mediator;
use diator::middleware::TimeoutMiddleware;

fn main() {
    let _builder = Mediator::builder().middleware(TimeoutMiddleware::new(Duration::from_secs(2)));
}
