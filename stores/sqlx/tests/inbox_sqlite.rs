#![cfg(feature = "sqlite")]
//! The inbox on SQLite and what endpoints keep there, as all of them are tested.

mod support;

use std::sync::Arc;
use std::time::Duration;

use diator::outbox::{OutboxStore, RelayId};
use diator_sqlx::{SqlxStore, sqlite_options};
use diator_testkit::inbox::{Driver, Store};
use sqlx::{Sqlite, SqlitePool};
use support::Directory;
use uuid::Uuid;

/// A call waits for another transaction for so many milliseconds.
struct OnSqlite<const WAITS: u64> {
    directory: Directory,
    retention: Duration,
}

#[diator::async_trait]
impl<const WAITS: u64> Driver for OnSqlite<WAITS> {
    const CONCURRENT_UNITS: bool = false;

    async fn start(retention: Duration) -> Self {
        let driver = Self { directory: Directory::new(), retention };
        driver.store().apply_schema().await.expect("the tables can be made");
        driver
    }

    fn connect(&self) -> Store {
        let store = self.store();
        let (inbox, outbox) = (store.inbox().with_retention(self.retention), store.outbox());
        Store { inbox: Arc::new(inbox), outbox: Arc::new(outbox), container: Arc::new(store.services()) }
    }

    async fn clean(&self) {
        let (store, relay) = (self.store(), RelayId(Uuid::nil()));
        while store.prune(relay, Duration::MAX, 50).await.expect("the database is there") > 0 {}
    }

    async fn events(&self) -> u64 {
        self.store().status().await.expect("the database is there").pending
    }
}

impl<const WAITS: u64> OnSqlite<WAITS> {
    fn store(&self) -> SqlxStore<Sqlite> {
        let options = sqlite_options().filename(self.directory.0.join("inbox.sqlite"));
        SqlxStore::new(SqlitePool::connect_lazy_with(options.busy_timeout(Duration::from_millis(WAITS))))
    }
}

diator_testkit::inbox_conformance!(OnSqlite<100>);

mod deliveries {
    use super::*;

    diator_testkit::deliveries_conformance!(OnSqlite<5_000>);
}
