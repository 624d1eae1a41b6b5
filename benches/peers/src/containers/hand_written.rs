//! No container.

use std::sync::Arc;

use super::services::{Audit, Handler, Transaction};

pub(crate) fn send() -> impl AsyncFnMut(u64) -> u64 {
    async |number| {
        let transaction = Arc::new(Transaction(1));
        let audit = Arc::new(Audit(transaction.clone()));
        Handler { transaction, audit }.handle(number).await
    }
}
