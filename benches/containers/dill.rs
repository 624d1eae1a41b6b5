use std::hint::black_box;

use dill::Catalog;
use dill::scopes::TransactionCache;

use super::work::{First, Handler, Second};

pub(crate) fn catalog() -> Catalog {
    let mut catalog = Catalog::builder();
    catalog.add::<First>().add::<Second>();
    catalog.build()
}

pub(crate) fn work(catalog: &Catalog) -> u64 {
    let scope = catalog.builder_chained().add_value(TransactionCache::new()).build();
    let (first, second) = (scope.get_one().expect("it is there"), scope.get_one().expect("it is there"));
    Handler { first, second }.work(black_box(3))
}
