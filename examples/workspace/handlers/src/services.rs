use diator::{BoxError, async_trait};

/// The seats of the house. Each message has its own `Seats`, which works on the transaction of that message.
#[async_trait]
pub trait Seats: Send + Sync {
    /// Gives a seat to a guest; `false` if the seat is not free.
    async fn sell(&self, seat: u32, guest: &str) -> Result<bool, BoxError>;

    /// The numbers of the free seats, in ascending order.
    async fn free(&self) -> Result<Vec<u32>, BoxError>;
}

/// The money of the guests, on the same transaction.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Takes an amount from a guest's account; fails if the account does not hold enough.
    async fn charge(&self, guest: &str, amount: u32) -> Result<(), BoxError>;
}
