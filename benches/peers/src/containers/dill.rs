//! dill 0.17: a chained catalog for each message.

use std::sync::Arc;

use dill::scopes::{self, TransactionCache};
use dill::{Catalog, CatalogBuilder, component, scope};

use super::services::{Audit, Handler, Transaction};

#[component(pub(crate))]
#[scope(scopes::Transaction)]
impl Transaction {
    fn new() -> Self {
        Self(1)
    }
}

#[component(pub(crate))]
#[scope(scopes::Transaction)]
impl Audit {
    fn new(transaction: Arc<Transaction>) -> Self {
        Self(transaction)
    }
}

#[component(pub(crate))]
impl Handler {
    fn new(transaction: Arc<Transaction>, audit: Arc<Audit>) -> Self {
        Self { transaction, audit }
    }
}

pub(super) fn register(builder: &mut CatalogBuilder) {
    builder.add::<Transaction>().add::<Audit>();
}

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    let mut builder = Catalog::builder();
    register(&mut builder);
    let catalog = builder.add::<Handler>().build();
    async move |number| {
        let scope = catalog.builder_chained().add_value(TransactionCache::new()).build();
        scope.get_one::<Handler>().unwrap().handle(number).await
    }
}
