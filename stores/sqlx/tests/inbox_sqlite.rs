#![cfg(feature = "sqlite")]
//! The inbox on SQLite, as all inboxes are tested.

mod support;

use std::sync::Arc;
use std::time::Duration;

use diator::outbox::{OutboxStore, RelayId};
use diator_sqlx::{SqlxStore, sqlite_options};
use diator_testkit::inbox::{Driver, Store};
use sqlx::{Sqlite, SqlitePool};
use support::Directory;
use uuid::Uuid;

struct OnSqlite {
    directory: Directory,
    retention: Duration,
}

#[diator::async_trait]
impl Driver for OnSqlite {
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

impl OnSqlite {
    fn store(&self) -> SqlxStore<Sqlite> {
        let options = sqlite_options().filename(self.directory.0.join("inbox.sqlite"));
        // So long does a call wait for another transaction.
        SqlxStore::new(SqlitePool::connect_lazy_with(options.busy_timeout(Duration::from_millis(100))))
    }
}

diator_testkit::inbox_conformance!(OnSqlite);
