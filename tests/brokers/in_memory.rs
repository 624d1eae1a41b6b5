//! The conformance suite over the in-memory broker.

use std::sync::Arc;

use diator::broker::Guarantees;
use diator::{InMemoryBroker, MessageBroker};
use diator_testkit::broker::{Arrived, Driver, Listener, Login};

struct InMemory(InMemoryBroker);

#[diator::async_trait]
impl Driver for InMemory {
    const GUARANTEES: Guarantees = Guarantees::none().ordered().confirmed().retained();

    async fn start() -> Self {
        Self(InMemoryBroker::new())
    }

    fn connect(&self, _: Login) -> Arc<dyn MessageBroker> {
        Arc::new(self.0.clone())
    }

    async fn listen(&self) -> Box<dyn Listener> {
        Box::new(Reader { broker: self.0.clone(), read: 0 })
    }
}

struct Reader {
    broker: InMemoryBroker,
    read: usize,
}

#[diator::async_trait]
impl Listener for Reader {
    async fn next(&mut self) -> Option<Arrived> {
        self.read += 1;
        let message = self.broker.published_at_least(self.read).await.swap_remove(self.read - 1);
        Some(Arrived { id: message.id, body: message.body.to_vec() })
    }
}

diator_testkit::broker_conformance!(InMemory);
