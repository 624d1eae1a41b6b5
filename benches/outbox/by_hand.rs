//! The same command with hand-written sqlx, and what becomes of it without an event.

use diator::BoxError;
use diator::broker::{MessageType, OutboundMessage};
use diator::container::{CommitError, UnitOfWork};
use diator::outbox::partition_of;
use diator_sqlx::{Mode, SqlxStore};
use serde::Serialize;
use sqlx::{PgPool, Sqlite, SqlitePool};
use uuid::Uuid;

use super::booking::{Booked, insert_on_postgres, insert_on_sqlite};

#[derive(Serialize)]
struct Envelope {
    message_type: &'static str,
    message_name: &'static str,
    message_id: Uuid,
    payload: Payload,
}

#[derive(Serialize)]
struct Payload {
    event_id: Uuid,
    event_timestamp: &'static str,
    #[serde(flatten)]
    event: Booked,
}

/// What the mediator makes of the event.
fn message_of(id: i64) -> OutboundMessage {
    let event_id = Uuid::now_v7();
    let payload = Payload { event_id, event_timestamp: "2026-11-22T22:31:53.997858", event: Booked::new(id) };
    let (message_type, message_name) = ("notification_event", "Booked");
    let envelope = Envelope { message_type, message_name, message_id: event_id, payload };
    let body = serde_json::to_vec(&envelope).expect("it can be encoded");
    let message =
        OutboundMessage::new(event_id, MessageType::Notification, message_name, body).with_key(id.to_string());
    let command = Uuid::now_v7();
    message.with_correlation_id(command).with_causation_id(command)
}

pub(crate) async fn event_on_postgres(id: i64, pool: PgPool) -> Result<(), BoxError> {
    let mut transaction = pool.begin().await?;
    insert_on_postgres(id, &mut transaction).await?;
    let message = message_of(id);
    let insert = sqlx::query(
        "INSERT INTO diator_outbox (partition, id, message_type, name, topic, key, correlation_id, causation_id,
        traceparent, content_type, headers, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    );
    let insert = insert.bind(partition_of(&message).cast_signed()).bind(message.id).bind(message.message_type.as_str());
    let insert = insert.bind(&*message.name).bind(message.topic.as_deref()).bind(message.key.as_deref());
    let insert = insert.bind(message.correlation_id).bind(message.causation_id).bind(message.traceparent.as_deref());
    let insert = insert.bind(&*message.content_type).bind("{}").bind(&*message.body);
    insert.execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

pub(crate) async fn event_on_sqlite(id: i64, pool: SqlitePool) -> Result<(), BoxError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    insert_on_sqlite(id, &mut transaction).await?;
    let message = message_of(id);
    let insert = sqlx::query(
        "INSERT INTO diator_outbox (created_at, partition, id, message_type, name, topic, key, correlation_id, causation_id,
        traceparent, content_type, headers, body)
        VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    );
    let text = |id: Option<Uuid>| id.map(|id| id.to_string());
    let insert = insert.bind(partition_of(&message)).bind(message.id.to_string()).bind(message.message_type.as_str());
    let insert = insert.bind(message.name.to_string()).bind(message.topic.map(String::from)).bind(message.key);
    let insert = insert.bind(text(message.correlation_id)).bind(text(message.causation_id));
    let insert = insert.bind(message.traceparent.map(|trace| trace.to_string()));
    let insert = insert.bind(message.content_type.to_string()).bind("{}").bind(message.body.to_vec());
    insert.execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

pub(crate) async fn row_on_postgres(id: i64, pool: PgPool) -> Result<(), BoxError> {
    let mut transaction = pool.begin().await?;
    insert_on_postgres(id, &mut transaction).await?;
    Ok(transaction.commit().await?)
}

pub(crate) async fn row_on_sqlite(id: i64, pool: SqlitePool) -> Result<(), BoxError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    insert_on_sqlite(id, &mut transaction).await?;
    Ok(transaction.commit().await?)
}

pub(crate) async fn transaction_on_postgres(id: i64, store: SqlxStore<sqlx::Postgres>) -> Result<(), BoxError> {
    let transaction = store.transaction(Mode::Write);
    insert_on_postgres(id, &mut *transaction.connection().await?).await?;
    transaction.commit().await.map_err(CommitError::into_source)
}

pub(crate) async fn transaction_on_sqlite(id: i64, store: SqlxStore<Sqlite>) -> Result<(), BoxError> {
    let transaction = store.transaction(Mode::Write);
    insert_on_sqlite(id, &mut *transaction.connection().await?).await?;
    transaction.commit().await.map_err(CommitError::into_source)
}
