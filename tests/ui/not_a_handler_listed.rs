//! A struct without an attribute is listed as a handler.

use diator::prelude::*;

struct PlaceOrderHandler;

fn main() {
    let _ = Mediator::builder().handlers(handlers![PlaceOrderHandler]);
}
