//! Serialization failures on PostgreSQL, tried again by the retry middleware.
#![cfg(feature = "postgres")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diator::middleware::{RetryMiddleware, RetryPolicy};
use diator::prelude::*;
use diator_sqlx::{Mode, Transaction, is_transient};
use diator_testkit::{Postgres, within_patience};
use sqlx::postgres::PgPoolOptions;

#[derive(Clone, Debug, Command)]
#[request(idempotent)]
struct Add;

#[request_handler(Add)]
struct AddHandler {
    transaction: Arc<Transaction<sqlx::Postgres>>,
    attempts: Arc<Attempts>,
}

#[derive(Default)]
struct Attempts(AtomicUsize);

impl RequestHandler<Add> for AddHandler {
    async fn handle(&self, _: Add, _: &mut RequestContext<'_, Add>) -> Result<(), BoxError> {
        self.attempts.0.fetch_add(1, Ordering::Relaxed);
        let mut connection = self.transaction.connection().await?;
        let balance: i64 = sqlx::query_scalar("SELECT balance FROM account").fetch_one(&mut *connection).await?;
        let update = sqlx::query("UPDATE account SET balance = $1").bind(balance + 1);
        update.execute(&mut *connection).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serialization_failures_are_tried_again() {
    let server = Postgres::start(&["default_transaction_isolation=serializable"]);
    let pool = PgPoolOptions::new().max_connections(8).connect(&server.url()).await.unwrap();
    let sql = "CREATE TABLE account (balance bigint); INSERT INTO account VALUES (0)";
    sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    let attempts = Arc::new(Attempts::default());
    let lent = pool.clone();
    let services = Services::new()
        .singleton(attempts.clone())
        .unit_of_work_sync(move |_| Ok(Transaction::<_>::new(lent.clone(), Mode::Write)));
    let policy = RetryPolicy::new().attempts(1_000).first_delay(Duration::from_millis(1));
    let retry = RetryMiddleware::new(policy).unwrap().when_any(is_transient);
    let mediator = Mediator::from_registry().container(services).middleware(retry).build().unwrap();
    let sends: Vec<_> = (0..40)
        .map(|_| {
            tokio::spawn({
                let mediator = mediator.clone();
                async move { mediator.send(Add).await }
            })
        })
        .collect();
    for sent in sends {
        within_patience(sent).await.unwrap().unwrap();
    }
    let balance: i64 = sqlx::query_scalar("SELECT balance FROM account").fetch_one(&pool).await.unwrap();
    assert_eq!(balance, 40);
    assert!(attempts.0.load(Ordering::Relaxed) > 40);
}
