//! A transaction is registered as a value, which all messages would share.

use diator::container::{CommitError, UnitOfWork};
use diator::prelude::*;

struct Transaction;

#[diator::async_trait]
impl UnitOfWork for Transaction {
    async fn commit(&self) -> Result<(), CommitError> {
        Ok(())
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {
    let _services = Services::new()
        .value(Transaction);
}
