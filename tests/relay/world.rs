use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use diator::broker::{Guarantees, InMemoryBroker, MessageBroker, MessageType, OutboundMessage, PublishError, Receipt};
use diator::container::{Closing, Container, Opening, Outcome};
use diator::middleware::MessageKind;
use diator::outbox::{
    Claim, InMemoryOutbox, Leased, LeasedPartition, Outbox, OutboxRow, OutboxStatus, OutboxStore, RelayId, Settlement,
    StagedMessage,
};
use diator::relay::Relay;
use diator::{BoxError, Meta};
use uuid::Uuid;

/// A message with a body that says which one it is.
pub(super) fn message(key: Option<&str>, body: impl ToString) -> OutboundMessage {
    named("Placed", key, body)
}

#[expect(clippy::needless_pass_by_value, reason = "bodies are written in place")]
pub(super) fn named(name: &'static str, key: Option<&str>, body: impl ToString) -> OutboundMessage {
    let message = OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, name, body.to_string().into_bytes());
    let message = message.with_topic("orders");
    match key {
        Some(key) => message.with_key(key),
        None => message,
    }
}

/// Commits messages in one unit of work.
pub(super) async fn commit(outbox: &InMemoryOutbox, messages: impl IntoIterator<Item = OutboundMessage>) {
    commit_staged(outbox, messages.into_iter().map(StagedMessage::new).collect()).await;
}

pub(super) async fn commit_staged(outbox: &InMemoryOutbox, messages: Vec<StagedMessage>) {
    let (services, meta) = (outbox.services(), Meta::new());
    let Opening::Ready(Ok(scope)) = services.open(&meta, MessageKind::Command) else { panic!("it opens at once") };
    outbox.stage(&*scope, &meta, &messages).await.expect("memory takes it");
    match scope.close(Outcome::Success) {
        Closing::Ready(closed) => closed,
        Closing::Pending(closing) => closing.await,
    }
    .expect("memory commits");
    outbox.committed();
}

pub(super) fn body(message: &OutboundMessage) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}

pub(super) fn bodies(messages: &[OutboundMessage]) -> Vec<String> {
    messages.iter().map(body).collect()
}

/// A relay that looks often and publishes here.
pub(super) fn relay(store: impl OutboxStore, broker: impl MessageBroker) -> Relay {
    Relay::new(store).broker(broker).poll(Duration::from_millis(100))
}

/// Runs a relay for so long, and then ends it in order.
pub(super) async fn run_for(relay: Relay, time: Duration) {
    relay.run_until(tokio::time::sleep(time)).await.expect("it starts");
}

type Hook<T> = Arc<Mutex<Box<dyn FnMut(T) -> Fault + Send>>>;

/// What happens instead of a call, or before it.
pub(super) enum Fault {
    None,
    Fail,
    Delay(Duration),
    Hang,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Method {
    Check,
    Lease,
    Claim,
    Settle,
    Release,
    Oldest,
}

/// A store that fails, waits or hangs where a test says so.
#[derive(Clone)]
pub(super) struct FaultyStore {
    pub(super) memory: InMemoryOutbox,
    fault: Hook<Method>,
    pub(super) leases: Arc<AtomicUsize>,
}

impl FaultyStore {
    pub(super) fn new(memory: &InMemoryOutbox, fault: impl FnMut(Method) -> Fault + Send + 'static) -> Self {
        Self { memory: memory.clone(), fault: Arc::new(Mutex::new(Box::new(fault))), leases: Arc::default() }
    }

    async fn call(&self, method: Method) -> Result<(), BoxError> {
        let fault = (self.fault.lock().unwrap_or_else(PoisonError::into_inner))(method);
        act(fault).await.then_some(()).ok_or_else(|| format!("{method:?} fails").into())
    }
}

async fn act(fault: Fault) -> bool {
    match fault {
        Fault::None => {}
        Fault::Fail => return false,
        Fault::Delay(time) => tokio::time::sleep(time).await,
        Fault::Hang => std::future::pending().await,
    }
    true
}

#[diator::async_trait]
impl OutboxStore for FaultyStore {
    async fn check(&self) -> Result<(), BoxError> {
        self.call(Method::Check).await
    }

    async fn lease(&self, relay: RelayId, most: u16, period: Duration) -> Result<Leased, BoxError> {
        self.leases.fetch_add(1, Ordering::SeqCst);
        self.call(Method::Lease).await?;
        self.memory.lease(relay, most, period).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<OutboxRow>, BoxError> {
        self.call(Method::Claim).await?;
        self.memory.claim(claim).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<(), BoxError> {
        self.call(Method::Settle).await?;
        self.memory.settle(settlements).await
    }

    async fn release(&self, partitions: &[LeasedPartition]) -> Result<(), BoxError> {
        self.call(Method::Release).await?;
        self.memory.release(partitions).await
    }

    async fn oldest(&self) -> Result<Option<Duration>, BoxError> {
        self.call(Method::Oldest).await?;
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

/// A broker that waits, panics, or answers for too few, and keeps the order of a key.
#[derive(Clone)]
pub(super) struct FaultyBroker {
    pub(super) memory: InMemoryBroker,
    fault: Hook<OutboundMessage>,
    pub(super) short_by: Arc<AtomicUsize>,
}

impl FaultyBroker {
    pub(super) fn new(fault: impl FnMut(OutboundMessage) -> Fault + Send + 'static) -> Self {
        Self { memory: InMemoryBroker::new(), fault: Arc::new(Mutex::new(Box::new(fault))), short_by: Arc::default() }
    }

    pub(super) fn slow(time: Duration) -> Self {
        Self::new(move |_| Fault::Delay(time))
    }
}

#[diator::async_trait]
impl MessageBroker for FaultyBroker {
    async fn publish(&self, message: &OutboundMessage) -> Result<Receipt, PublishError> {
        let fault = (self.fault.lock().unwrap_or_else(PoisonError::into_inner))(message.clone());
        assert!(act(fault).await, "the broker panics");
        self.memory.publish(message).await
    }

    async fn publish_batch(&self, messages: &[OutboundMessage]) -> Vec<Result<Receipt, PublishError>> {
        let mut answers = Vec::new();
        for message in messages {
            answers.push(self.publish(message).await);
        }
        answers.truncate(messages.len().saturating_sub(self.short_by.load(Ordering::SeqCst)));
        answers
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::none().ordered_by_key().confirmed()
    }
}
