#![cfg(feature = "postgres")]
//! The inbox on PostgreSQL and what endpoints keep there, as all of them are tested.

use std::sync::Arc;
use std::time::Duration;

use diator::outbox::{OutboxStore, RelayId};
use diator_sqlx::SqlxStore;
use diator_testkit::Postgres;
use diator_testkit::inbox::{Driver, Store};
use sqlx::PgPool;
use uuid::Uuid;

struct OnPostgres {
    server: Postgres,
    retention: Duration,
}

#[diator::async_trait]
impl Driver for OnPostgres {
    const CONCURRENT_UNITS: bool = true;

    async fn start(retention: Duration) -> Self {
        let driver = Self { server: Postgres::start(&[]), retention };
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

impl OnPostgres {
    fn store(&self) -> SqlxStore<sqlx::Postgres> {
        SqlxStore::new(PgPool::connect_lazy(&self.server.url()).expect("it is a URL"))
    }
}

diator_testkit::inbox_conformance!(OnPostgres);

mod deliveries {
    use super::*;

    diator_testkit::deliveries_conformance!(OnPostgres);
}
