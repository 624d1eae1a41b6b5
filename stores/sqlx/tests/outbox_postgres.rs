#![cfg(feature = "postgres")]
//! The outbox on PostgreSQL, as all outboxes are tested.

use std::sync::Arc;

use diator_sqlx::SqlxStore;
use diator_testkit::Postgres;
use diator_testkit::outbox::{Driver, Store};
use sqlx::PgPool;

struct OnPostgres(Postgres);

#[diator::async_trait]
impl Driver for OnPostgres {
    const CONCURRENT_UNITS: bool = true;

    async fn start() -> Self {
        let driver = Self(Postgres::start(&[]));
        driver.store().apply_schema().await.expect("the tables can be made");
        driver
    }

    fn connect(&self) -> Store {
        let store = self.store();
        let (outbox, container) = (Arc::new(store.outbox()), Arc::new(store.services()));
        Store { outbox, relay: Arc::new(store.clone()), dead_letters: Arc::new(store), container }
    }
}

impl OnPostgres {
    fn store(&self) -> SqlxStore<sqlx::Postgres> {
        SqlxStore::new(PgPool::connect_lazy(&self.0.url()).expect("it is a URL"))
    }
}

diator_testkit::outbox_conformance!(OnPostgres);
