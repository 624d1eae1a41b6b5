//! The outbox in memory, as all outboxes are tested.

use std::sync::Arc;

use diator::outbox::InMemoryOutbox;
use diator_testkit::outbox::{Driver, Store};

struct InMemory(InMemoryOutbox);

#[diator::async_trait]
impl Driver for InMemory {
    const CONCURRENT_UNITS: bool = false;

    async fn start() -> Self {
        Self(InMemoryOutbox::new())
    }

    fn connect(&self) -> Store {
        let (store, container) = (Arc::new(self.0.clone()), Arc::new(self.0.services()));
        Store { outbox: store.clone(), relay: store.clone(), dead_letters: store, container }
    }
}

diator_testkit::outbox_conformance!(InMemory);
