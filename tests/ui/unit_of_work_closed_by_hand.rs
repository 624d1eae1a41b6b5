//! A transaction gets another end, in the place of its commit.

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
        .unit_of_work(|_| async { Ok(Transaction) })
        .on_close(|_: std::sync::Arc<Transaction>, _| async { Ok(()) });
}
