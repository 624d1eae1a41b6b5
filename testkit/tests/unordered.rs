//! A driver whose broker keeps no order passes the suite.

use std::sync::Arc;
use std::time::Duration;

use diator::broker::{Guarantees, Receipt};
use diator::{InMemoryBroker, MessageBroker, OutboundMessage, PublishError};
use diator_testkit::broker::{Arrived, Driver, Listener, Login};

/// Takes a message at once, and delivers it when it likes.
#[derive(Clone)]
struct Careless(InMemoryBroker);

#[diator::async_trait]
impl MessageBroker for Careless {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        let (broker, message) = (self.0.clone(), message.clone());
        // Its id is as good as chance.
        let late = Duration::from_millis(u64::from(message.id.as_u128().count_ones() % 13));
        // On a thread, because the runtime of whoever publishes may end before.
        std::thread::spawn(move || {
            std::thread::sleep(late);
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(broker.publish(&message)).expect("it takes everything");
        });
        Ok(Receipt::Accepted)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::none().confirmed().retained()
    }
}

#[diator::async_trait]
impl Driver for Careless {
    const GUARANTEES: Guarantees = Guarantees::none().confirmed().retained();

    async fn start() -> Self {
        Self(InMemoryBroker::new())
    }

    fn connect(&self, _: Login) -> Arc<dyn MessageBroker> {
        Arc::new(self.clone())
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
        let message = self.broker.published_at_least(self.read + 1).await.swap_remove(self.read);
        self.read += 1;
        Some(Arrived { id: message.id, body: message.body.to_vec() })
    }
}

diator_testkit::broker_conformance!(Careless);
