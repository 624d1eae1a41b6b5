#![cfg(feature = "sqlite")]
//! The outbox on SQLite, as all outboxes are tested.

mod support;

use std::sync::Arc;

use diator_sqlx::{SqlxStore, sqlite_options};
use diator_testkit::outbox::{Driver, Store};
use sqlx::{Sqlite, SqlitePool};
use support::Directory;

struct OnSqlite(Directory);

#[diator::async_trait]
impl Driver for OnSqlite {
    const CONCURRENT_UNITS: bool = false;

    async fn start() -> Self {
        let driver = Self(Directory::new());
        driver.store().apply_schema().await.expect("the tables can be made");
        driver
    }

    fn connect(&self) -> Store {
        let store = self.store();
        let (outbox, container) = (Arc::new(store.outbox()), Arc::new(store.services()));
        Store { outbox, relay: Arc::new(store.clone()), dead_letters: Arc::new(store), container }
    }
}

impl OnSqlite {
    fn store(&self) -> SqlxStore<Sqlite> {
        SqlxStore::new(SqlitePool::connect_lazy_with(sqlite_options().filename(self.0.0.join("outbox.sqlite"))))
    }
}

diator_testkit::outbox_conformance!(OnSqlite);
