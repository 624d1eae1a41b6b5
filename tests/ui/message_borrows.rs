//! Messages that hold what belongs to others.

use diator::prelude::*;

#[derive(Debug, Command)]
struct PlaceOrder<'a> {
    pub article: &'a str,
}

#[derive(Debug, DomainEvent)]
struct OrderPlaced<'a> {
    pub article: &'a str,
}

fn main() {}
