//! The attribute is there, the `impl` is not.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder;

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler;

fn main() {}
