//! A middleware lets the message be handled a second time.

use diator::middleware::{Call, Answered, Next};

struct Retry;

#[diator::async_trait]
impl diator::Middleware for Retry {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        next.run(call).await;
        next.run(call).await
    }
}

fn main() {}
