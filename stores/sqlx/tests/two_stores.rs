//! Two stores without tags, of which a program mixes parts up: it is told before a row or an event is in the wrong database.
#![cfg(all(feature = "postgres", feature = "sqlite"))]

mod support;

use std::error::Error;
use std::future::pending;
use std::iter::successors;
use std::sync::Arc;

use diator::container::DependencyKey;
use diator::host::{Host, HostError};
use diator::outbox::{Outbox, OutboxStore, StoreSchema};
use diator::prelude::*;
use diator::registry::Problem;
use diator_sqlx::{Engine, SqlxStore, StagesRows, Transaction, sqlite_options};
use diator_testkit::{Postgres, within_patience};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Sqlite, SqlitePool};
use support::Directory;

#[derive(Debug, Command)]
struct Join;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Joined;

#[request_handler(Join)]
struct JoinHandler;

impl RequestHandler<Join> for JoinHandler {
    async fn handle(&self, _: Join, cx: &mut RequestContext<'_, Join>) -> Result<(), BoxError> {
        cx.emit(Joined);
        Ok(())
    }
}

#[derive(Debug, Command)]
struct Write;

#[request_handler(Write)]
#[allow(dead_code, reason = "only the type of the field counts")]
struct WriteHandler {
    transaction: Arc<Transaction<Sqlite>>,
}

impl RequestHandler<Write> for WriteHandler {
    async fn handle(&self, _: Write, _: &mut RequestContext<'_, Write>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn mediator(services: Services, outbox: impl Outbox) -> Mediator {
    let builder = Mediator::builder().handlers(handlers![JoinHandler]).container(services);
    builder.broker(InMemoryBroker::new()).outbox(outbox).build().unwrap()
}

fn text(error: &dyn Error) -> String {
    successors(Some(error), |&error| error.source()).map(|error| format!("{error}\n")).collect()
}

/// Neither the outbox nor the relay of another store does for the services of this one.
async fn mixed_up<DB: Engine>(one: SqlxStore<DB>, other: SqlxStore<DB>)
where
    SqlxStore<DB>: OutboxStore + StoreSchema,
    Transaction<DB>: StagesRows,
{
    for store in [&one, &other] {
        store.apply_schema().await.unwrap();
    }
    let mixed = mediator(one.services(), other.outbox());
    for _ in 0..2 {
        let text = text(&mixed.send(Join).await.unwrap_err());
        assert!(text.contains("give each store a tag: `SqlxStore::<_, Billing>::tagged(pool)`"), "{text}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    let whole = mediator(one.services(), one.outbox());
    let error = Host::new(whole.clone()).relay(other.relay()).run_until(pending::<()>()).await.unwrap_err();
    assert!(matches!(&error, HostError::OtherStore { outbox, relay } if outbox != relay), "{error}");
    assert!(!error.to_string().contains("s3cr3t"), "{error}");
    whole.send(Join).await.unwrap();
    let pending = [one.status().await.unwrap().pending, other.status().await.unwrap().pending];
    assert_eq!(pending, [1, 0]);
}

#[tokio::test]
async fn on_postgresql() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        postgres.psql("CREATE DATABASE billing");
        let url = |database| format!("postgres://postgres:s3cr3t@127.0.0.1:{}/{database}", postgres.port());
        let store = |database| SqlxStore::new(PgPool::connect_lazy(&url(database)).unwrap());
        mixed_up(store("postgres"), store("billing")).await;
    })
    .await;
}

#[tokio::test]
async fn on_sqlite() {
    within_patience(async {
        let directory = Directory::new();
        let store =
            |name| SqlxStore::new(SqlitePool::connect_lazy_with(sqlite_options().filename(directory.0.join(name))));
        mixed_up(store("shop"), store("billing")).await;
        // Two names of one file are one place.
        let again = store("./shop");
        let mediator = mediator(store("shop").services(), again.outbox());
        mediator.send(Join).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn tables_of_another_prefix_are_another_place() {
    let pool = SqlitePool::connect_lazy("sqlite::memory:").unwrap();
    let one = SqlxStore::<Sqlite>::new(pool.clone());
    let other = SqlxStore::<Sqlite>::new(pool).prefix("billing_").unwrap();
    assert_ne!(OutboxStore::place(&one), OutboxStore::place(&other));
    assert_eq!(OutboxStore::place(&one), Outbox::place(&one.outbox()));
}

#[tokio::test]
async fn services_that_were_forgotten() {
    let store = SqlxStore::new(SqlitePool::connect_lazy("sqlite::memory:").unwrap());
    let builder = Mediator::builder().handlers(handlers![WriteHandler]).broker(InMemoryBroker::new());
    let error = builder.outbox(store.outbox()).build().unwrap_err();
    let remedies: Vec<_> = error.problems().iter().map(Problem::remedy).collect();
    let remedy = "add the store's services to the container: `Services::new().extend(store.services())`";
    assert_eq!(remedies, [remedy, remedy], "{error}");
    let own = store.outbox_in::<Transaction<Sqlite>>();
    assert_eq!(own.unit_of_work(), Some(DependencyKey::of::<Transaction<Sqlite>>()));
    assert_eq!(own.how_to_register(), None, "the program's own unit of work is the program's affair");
}
