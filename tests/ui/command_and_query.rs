//! A request is a command and a query.

use diator::prelude::*;

#[derive(Debug, Command, Query)]
struct PlaceOrder;

fn main() {}
