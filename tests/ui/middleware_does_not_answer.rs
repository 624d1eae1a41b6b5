//! A middleware lets nothing handle the message, and does not answer it either.

use diator::middleware::{Call, Answered, Next};

struct Drop;

#[diator::async_trait]
impl diator::Middleware for Drop {
    async fn handle(&self, call: &mut Call<'_>, _: Next<'_>) -> Answered {
        println!("{}", call.info().message);
    }
}

fn main() {}
