//! A crate is linked under the name that this program gave it, and its own.

diator::link!(old_billing = billing);

diator::link!(orders, old_billing = billing, old_orders);

fn main() {}
