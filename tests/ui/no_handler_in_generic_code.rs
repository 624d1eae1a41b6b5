//! Generic code sends a request without asking that it be handled.

use diator::prelude::*;

async fn forward<R: Request>(mediator: &Mediator, request: R) {
    let _answer = mediator.send(request).await;
}

fn main() {}
