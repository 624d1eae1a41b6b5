//! A transaction is registered like any scoped service, and so would never commit.

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
        .scoped_async(|_| async { Ok(Transaction) });
}
