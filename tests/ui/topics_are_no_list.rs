//! A topic in the place of a list of topics.

use diator::endpoint::Endpoint;
use diator::prelude::*;

fn main() {
    let _shop = Endpoint::new("shop", InMemoryBroker::new()).topics("orders");
}
