//! Handles a request that `orders` handles too.

mod count;
