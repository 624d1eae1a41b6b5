//! A transaction is made for each who asks, and so would never commit.

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
        .transient(|_| Ok(Transaction));
}
