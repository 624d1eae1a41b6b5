use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use diator::host::Host;
use diator::outbox::{
    Claim, InMemoryOutbox, Leased, LeasedPartition, OutboxRow, OutboxStatus, OutboxStore, RelayId, Settlement,
};
use diator::prelude::*;
use diator::relay::Relay;
use serde::{Deserialize, Serialize};

#[derive(Debug, Command)]
pub(super) struct Work {
    pub(super) takes: Duration,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
pub(super) struct Worked;

#[request_handler(Work)]
pub(super) struct WorkHandler;

impl RequestHandler<Work> for WorkHandler {
    async fn handle(&self, work: Work, cx: &mut RequestContext<'_, Work>) -> Result<(), BoxError> {
        tokio::time::sleep(work.takes).await;
        cx.emit(Worked);
        Ok(())
    }
}

/// A mediator with an outbox and a broker in memory.
pub(super) struct World {
    pub(super) outbox: InMemoryOutbox,
    pub(super) broker: InMemoryBroker,
    pub(super) mediator: Mediator,
}

impl World {
    pub(super) fn new() -> Self {
        let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
        let mediator = Mediator::builder()
            .handlers(handlers![WorkHandler])
            .container(outbox.services())
            .broker(broker.clone())
            .outbox(outbox.clone())
            .build()
            .unwrap();
        Self { outbox, broker, mediator }
    }

    /// Its mediator publishes events directly.
    pub(super) fn without_outbox() -> Self {
        let (outbox, broker) = (InMemoryOutbox::new(), InMemoryBroker::new());
        let mediator = Mediator::builder().handlers(handlers![WorkHandler]).broker(broker.clone()).build().unwrap();
        Self { outbox, broker, mediator }
    }

    pub(super) fn host(&self) -> Host {
        Host::new(self.mediator.clone())
    }

    pub(super) fn relay(&self) -> Relay {
        Relay::new(self.outbox.clone())
    }
}

/// What happened, in its order.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(super) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    Fails,
    Panics,
    Hangs,
}

/// A store in trouble: as it looks at its tables, as it leases, and as it says how old its oldest message is.
#[derive(Clone)]
pub(super) struct TroubledStore {
    pub(super) memory: InMemoryOutbox,
    pub(super) check: Arc<Mutex<Trouble>>,
    pub(super) lease: Arc<Mutex<Trouble>>,
    pub(super) oldest: Arc<Mutex<Trouble>>,
}

impl TroubledStore {
    pub(super) fn new(memory: &InMemoryOutbox) -> Self {
        let none = || Arc::new(Mutex::new(Trouble::None));
        Self { memory: memory.clone(), check: none(), lease: none(), oldest: none() }
    }

    async fn meet(trouble: &Mutex<Trouble>) -> Result<(), BoxError> {
        let trouble = *trouble.lock().unwrap();
        match trouble {
            Trouble::None => Ok(()),
            Trouble::Fails => Err("the tables are missing; run `schema apply`".into()),
            Trouble::Panics => panic!("the store panics"),
            Trouble::Hangs => std::future::pending().await,
        }
    }
}

#[diator::async_trait]
impl OutboxStore for TroubledStore {
    async fn check(&self) -> Result<(), BoxError> {
        Self::meet(&self.check).await
    }

    async fn lease(&self, relay: RelayId, most: u16, period: Duration) -> Result<Leased, BoxError> {
        Self::meet(&self.lease).await?;
        self.memory.lease(relay, most, period).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<OutboxRow>, BoxError> {
        self.memory.claim(claim).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<(), BoxError> {
        self.memory.settle(settlements).await
    }

    async fn release(&self, partitions: &[LeasedPartition]) -> Result<(), BoxError> {
        self.memory.release(partitions).await
    }

    async fn oldest(&self) -> Result<Option<Duration>, BoxError> {
        Self::meet(&self.oldest).await?;
        self.memory.oldest().await
    }

    async fn status(&self) -> Result<OutboxStatus, BoxError> {
        self.memory.status().await
    }

    async fn replay(&self, since: SystemTime, topic: Option<&str>) -> Result<u64, BoxError> {
        OutboxStore::replay(&self.memory, since, topic).await
    }

    async fn prune(&self, relay: RelayId, retention: Duration, limit: u32) -> Result<u64, BoxError> {
        self.memory.prune(relay, retention, limit).await
    }

    async fn woken(&self) {
        self.memory.woken().await;
    }
}
