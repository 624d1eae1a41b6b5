use std::sync::Arc;

use diator_benches::handled;

pub(super) struct Transaction(pub(super) u64);

pub(super) struct Audit(pub(super) Arc<Transaction>);

/// The handler of those that are used without a mediator.
pub(super) struct Handler {
    pub(super) transaction: Arc<Transaction>,
    pub(super) audit: Arc<Audit>,
}

impl Handler {
    pub(super) async fn handle(&self, number: u64) -> u64 {
        handled();
        number + self.transaction.0 + self.audit.0.0 - 1
    }
}
