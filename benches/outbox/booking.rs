//! A command with one row of its own and one event, through the mediator.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use diator::InboundMessage;
use diator::broker::MessageType;
use diator::prelude::*;
use diator_sqlx::{SqlxStore, Transaction};
use serde::{Deserialize, Serialize};
use sqlx::Sqlite;
use uuid::Uuid;

const GUEST: &str = "Ada Lovelace";
const NIGHTS: i32 = 3;

#[derive(Clone, Copy, Debug, Command)]
pub(crate) struct Book(pub(crate) i64);

/// The same on SQLite: a request has one handler.
#[derive(Clone, Copy, Debug, Command)]
pub(crate) struct BookInFile(pub(crate) i64);

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(key = booking)]
pub(crate) struct Booked {
    pub(crate) booking: i64,
    guest: Cow<'static, str>,
    nights: i32,
}

impl Booked {
    pub(crate) fn new(booking: i64) -> Self {
        Self { booking, guest: GUEST.into(), nights: NIGHTS }
    }
}

/// No booking has the number of another one.
pub(crate) fn next_number() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

#[request_handler(Book)]
struct BookHandler {
    transaction: Arc<Transaction<sqlx::Postgres>>,
}

impl RequestHandler<Book> for BookHandler {
    async fn handle(&self, command: Book, cx: &mut RequestContext<'_, Book>) -> Result<(), BoxError> {
        insert_on_postgres(command.0, &mut *self.transaction.connection().await?).await?;
        cx.emit(Booked::new(command.0));
        Ok(())
    }
}

#[request_handler(BookInFile)]
struct BookInFileHandler {
    transaction: Arc<Transaction<Sqlite>>,
}

impl RequestHandler<BookInFile> for BookInFileHandler {
    async fn handle(&self, command: BookInFile, cx: &mut RequestContext<'_, BookInFile>) -> Result<(), BoxError> {
        insert_on_sqlite(command.0, &mut *self.transaction.connection().await?).await?;
        cx.emit(Booked::new(command.0));
        Ok(())
    }
}

pub(crate) fn mediator_on_postgres(store: &SqlxStore<sqlx::Postgres>) -> Mediator {
    let builder = Mediator::builder().handlers(handlers![BookHandler]).container(store.services());
    builder.outbox(store.outbox()).relayed_elsewhere().build().expect("nothing is missing")
}

pub(crate) fn mediator_on_sqlite(store: &SqlxStore<Sqlite>) -> Mediator {
    let builder = Mediator::builder().handlers(handlers![BookInFileHandler]).container(store.services());
    builder.outbox(store.outbox()).relayed_elsewhere().build().expect("nothing is missing")
}

#[event_handler(Booked, id = "bookings.note")]
struct NoteHandler {
    transaction: Arc<Transaction<sqlx::Postgres>>,
}

impl EventHandler<Booked> for NoteHandler {
    async fn handle(&self, event: &Booked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(insert_on_postgres(event.booking, &mut *self.transaction.connection().await?).await?)
    }
}

#[event_handler(Booked, id = "bookings.note_in_file")]
struct NoteInFileHandler {
    transaction: Arc<Transaction<Sqlite>>,
}

impl EventHandler<Booked> for NoteInFileHandler {
    async fn handle(&self, event: &Booked, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        Ok(insert_on_sqlite(event.booking, &mut *self.transaction.connection().await?).await?)
    }
}

pub(crate) fn handling_on_postgres(store: &SqlxStore<sqlx::Postgres>) -> Mediator {
    let builder = Mediator::builder().handlers(handlers![NoteHandler]).container(store.services());
    let builder = builder.outbox(store.outbox()).relayed_elsewhere();
    builder.inbox(store.inbox()).build().expect("nothing is missing")
}

pub(crate) fn handling_on_sqlite(store: &SqlxStore<Sqlite>) -> Mediator {
    let builder = Mediator::builder().handlers(handlers![NoteInFileHandler]).container(store.services());
    let builder = builder.outbox(store.outbox()).relayed_elsewhere();
    builder.inbox(store.inbox()).build().expect("nothing is missing")
}

pub(crate) fn message_of_booking(booking: i64) -> InboundMessage {
    let payload = serde_json::to_value(Booked::new(booking)).expect("it can be encoded");
    InboundMessage::new(MessageType::Notification, "Booked", Uuid::now_v7(), payload)
}

pub(crate) async fn insert_on_postgres(id: i64, connection: &mut sqlx::PgConnection) -> sqlx::Result<()> {
    let insert = sqlx::query("INSERT INTO booking VALUES ($1, $2, $3)").bind(id).bind(GUEST).bind(NIGHTS);
    insert.execute(connection).await.map(drop)
}

pub(crate) async fn insert_on_sqlite(id: i64, connection: &mut sqlx::SqliteConnection) -> sqlx::Result<()> {
    let insert = sqlx::query("INSERT INTO booking VALUES (?, ?, ?)").bind(id).bind(GUEST).bind(NIGHTS);
    insert.execute(connection).await.map(drop)
}
