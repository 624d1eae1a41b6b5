//! The inbox in memory and its delivery store, as all are tested.

use std::sync::Arc;
use std::time::Duration;

use diator::inbox::InMemoryInbox;
use diator::outbox::InMemoryOutbox;
use diator_testkit::inbox::{Driver, Store};

struct InMemory(InMemoryInbox, InMemoryOutbox);

#[diator::async_trait]
impl Driver for InMemory {
    const CONCURRENT_UNITS: bool = true;

    async fn start(retention: Duration) -> Self {
        Self(InMemoryInbox::new().with_retention(retention), InMemoryOutbox::new())
    }

    fn connect(&self) -> Store {
        let container = Arc::new(self.1.services());
        Store { inbox: Arc::new(self.0.clone()), outbox: Arc::new(self.1.clone()), container }
    }

    async fn clean(&self) {}

    async fn events(&self) -> u64 {
        self.1.pending().len() as u64
    }
}

diator_testkit::inbox_conformance!(InMemory);

mod deliveries {
    use super::*;

    diator_testkit::deliveries_conformance!(InMemory);
}
