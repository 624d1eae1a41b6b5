//! The transaction in a mediator: nested requests, events, and two databases told apart by a tag.
#![cfg(feature = "sqlite")]

mod support;

use std::sync::Arc;

use diator::prelude::*;
use diator_sqlx::{Mode, Transaction};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Sqlite, SqlitePool};

use crate::support::Directory;

struct Shop;
struct Audit;

#[derive(Clone, Copy, Debug, Command)]
struct Place {
    id: i64,
    voucher_first: bool,
    fails: bool,
}

#[derive(Debug, Command)]
struct Redeem {
    id: i64,
}

#[derive(Debug, DomainEvent)]
struct Placed {
    id: i64,
    fails: bool,
}

async fn write<Tag: 'static>(transaction: &Transaction<Sqlite, Tag>, id: i64) -> Result<(), BoxError> {
    let mut connection = transaction.connection().await?;
    sqlx::query("INSERT INTO entry VALUES (?)").bind(id).execute(&mut *connection).await?;
    Ok(())
}

#[request_handler(Place)]
struct PlaceHandler {
    shop: Arc<Transaction<Sqlite, Shop>>,
}

impl RequestHandler<Place> for PlaceHandler {
    async fn handle(&self, command: Place, cx: &mut RequestContext<'_, Place>) -> Result<(), BoxError> {
        let Place { id, voucher_first, fails } = command;
        if !voucher_first {
            write(&self.shop, id).await?;
        }
        assert!(cx.send(Redeem { id: id + 1 }).await.is_err());
        if voucher_first {
            write(&self.shop, id).await?;
        }
        cx.emit(Placed { id, fails });
        Ok(())
    }
}

#[request_handler(Redeem)]
struct RedeemHandler {
    shop: Arc<Transaction<Sqlite, Shop>>,
}

impl RequestHandler<Redeem> for RedeemHandler {
    async fn handle(&self, command: Redeem, _: &mut RequestContext<'_, Redeem>) -> Result<(), BoxError> {
        write(&self.shop, command.id).await?;
        Err("no such voucher".into())
    }
}

#[event_handler(Placed, order = 10)]
struct Note {
    audit: Arc<Transaction<Sqlite, Audit>>,
}

impl EventHandler<Placed> for Note {
    async fn handle(&self, event: &Placed, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        write(&self.audit, event.id).await?;
        if event.fails { Err("no room for a note".into()) } else { Ok(()) }
    }
}

async fn pool(directory: &Directory, name: &str) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(directory.0.join(name)).create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options.journal_mode(SqliteJournalMode::Wal)).await.unwrap();
    sqlx::raw_sql("CREATE TABLE entry (id INTEGER PRIMARY KEY)").execute(&pool).await.unwrap();
    pool
}

async fn ids(pool: &SqlitePool) -> Vec<i64> {
    sqlx::query_scalar("SELECT id FROM entry ORDER BY id").fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn what_a_nested_request_failed_to_do_is_undone_alone() {
    let directory = Directory::new();
    let (shop, audit) = (pool(&directory, "shop").await, pool(&directory, "audit").await);
    let pools = (shop.clone(), audit.clone());
    let services = Services::new()
        .unit_of_work_sync(move |_| Ok(Transaction::<_, Shop>::new(pools.0.clone(), Mode::Write)))
        .unit_of_work_sync(move |_| Ok(Transaction::<_, Audit>::new(pools.1.clone(), Mode::Write)));
    let mediator = Mediator::from_registry().container(services).build().unwrap();
    let place = Place { id: 10, voucher_first: false, fails: false };
    mediator.send(place).await.unwrap();
    // The nested request is the first that writes.
    mediator.send(Place { id: 20, voucher_first: true, ..place }).await.unwrap();
    mediator.send(Place { id: 30, fails: true, ..place }).await.unwrap_err();
    assert_eq!((ids(&shop).await, ids(&audit).await), (vec![10, 20], vec![10, 20]));
}
