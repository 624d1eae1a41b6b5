#![cfg(feature = "postgres")]
//! A data base that was dumped, and restored in another cluster, whose transactions have other numbers.

mod support;

use diator::InMemoryBroker;
use diator_sqlx::SqlxStore;
use diator_testkit::{Postgres, within_patience};
use sqlx::PgPool;
use support::outbox::{bodies, commit_one, message, publish};

#[tokio::test]
async fn what_was_pending_in_a_restored_data_base_is_published() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = SqlxStore::<sqlx::Postgres>::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        store.apply_schema().await.unwrap();
        for number in 0..3 {
            commit_one(&store, message(Some("a"), number)).await;
        }
        // The cluster before had come further.
        postgres.psql("UPDATE diator_outbox SET xid = '99999999999'");
        commit_one(&store, message(Some("a"), 3)).await;
        let broker = InMemoryBroker::new();
        publish(store, &broker, 4).await;
        assert_eq!(bodies(&broker.published()), ["0", "1", "2", "3"]);
    })
    .await;
}
