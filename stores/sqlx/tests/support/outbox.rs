use std::time::Duration;

use diator::broker::{MessageType, OutboundMessage};
use diator::container::{CommitError, Outcome};
use diator::outbox::{Outbox, OutboxStore, StagedMessage};
use diator::relay::Relay;
use diator::{BoxError, Container, InMemoryBroker, MessageKind, Meta};
use diator_sqlx::{Engine, SqlxStore, StagesRows, Transaction};
use uuid::Uuid;

/// A message with a body that says which one it is.
#[allow(clippy::needless_pass_by_value, reason = "bodies are written in place")]
pub(crate) fn message(key: Option<&str>, body: impl ToString) -> OutboundMessage {
    let body = body.to_string().into_bytes();
    let message = OutboundMessage::new(Uuid::now_v7(), MessageType::Notification, "Placed", body).with_topic("orders");
    match key {
        Some(key) => message.with_key(key),
        None => message,
    }
}

/// Commits messages in one unit of work, as a mediator does.
pub(crate) async fn commit<DB: Engine, Tag: Send + Sync + 'static>(
    store: &SqlxStore<DB, Tag>,
    messages: Vec<StagedMessage>,
) -> Result<(), BoxError>
where
    Transaction<DB, Tag>: StagesRows,
{
    let (services, meta, outbox) = (store.services(), Meta::new(), store.outbox());
    let scope = services.open(&meta, MessageKind::Command).get().await?;
    if let Err(error) = outbox.stage(&*scope, &meta, &messages).await {
        scope.close(Outcome::Failure).get().await.map_err(CommitError::into_source)?;
        return Err(error);
    }
    scope.close(Outcome::Success).get().await.map_err(CommitError::into_source)?;
    outbox.committed();
    Ok(())
}

pub(crate) async fn commit_one<DB: Engine, Tag: Send + Sync + 'static>(
    store: &SqlxStore<DB, Tag>,
    message: OutboundMessage,
) where
    Transaction<DB, Tag>: StagesRows,
{
    commit(store, vec![StagedMessage::new(message)]).await.expect("it commits");
}

/// Runs a relay until the broker has so many messages.
pub(crate) async fn publish(store: impl OutboxStore, broker: &InMemoryBroker, count: usize) {
    let relay = Relay::new(store).broker(broker.clone()).poll(Duration::from_millis(100));
    relay.run_until(broker.published_at_least(count)).await.expect("it starts");
}

pub(crate) fn bodies(messages: &[OutboundMessage]) -> Vec<String> {
    messages.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
}
