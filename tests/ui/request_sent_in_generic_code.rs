//! Generic code in a handler sends a request without asking that it may be sent from there.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

async fn forward<Q: Request>(cx: &mut RequestContext<'_, PlaceOrder>, request: Q) {
    let _answer = cx.send_dyn(request).await;
}

fn main() {}
