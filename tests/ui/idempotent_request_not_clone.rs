//! A request that may be handled twice cannot be copied.

use diator::prelude::*;

#[derive(Debug, Command)]
#[request(idempotent)]
struct CancelOrder;

fn main() {}
