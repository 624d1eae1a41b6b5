//! The `impl` of a broker lacks `#[diator::async_trait]`.

use diator::broker::{Guarantees, MessageBroker, OutboundMessage, PublishError, Receipt};

struct Console;

impl MessageBroker for Console {
    async fn publish(&self, _: &OutboundMessage) -> Result<Receipt, PublishError> {
        Ok(Receipt::Sent)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::none()
    }
}

fn main() {}
