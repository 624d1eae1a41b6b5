//! `link!` names a crate that is not there.

diator::link!(ordres);

fn main() {}
