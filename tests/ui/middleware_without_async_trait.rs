//! The `impl` of a middleware lacks `#[diator::async_trait]`.

use diator::middleware::{Call, Answered, Next};

struct Log;

impl diator::Middleware for Log {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        next.run(call).await
    }
}

fn main() {}
