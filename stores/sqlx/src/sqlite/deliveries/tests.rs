//! What endpoints ask reads a part of an index, and never the table.

use diator::inbox::{Entry, Turn};
use sqlx::{AssertSqlSafe, Row, Sqlite, SqlitePool, raw_sql};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

use crate::store::{Sealed, SqlxStore};

#[tokio::test]
async fn no_statement_reads_the_table() {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    let store = SqlxStore::new(pool.clone());
    store.apply_schema().await.unwrap();
    let sql = &store.shared().sql;
    let mut texts: Vec<Arc<str>> = sql.deliveries.put.texts().into();
    texts.extend(sql.deliveries.lease.texts());
    texts.extend(sql.deliveries.settle.texts());
    texts.push(sql.prune_attempts.clone());
    texts.push(sql.prune_inbox.clone());
    let entry = Entry::new("billing", "billing.charge", Uuid::nil()).with_turn(Turn { topic: "orders", key: "a" });
    let enter = Sqlite::enter(store.shared(), &entry, Duration::ZERO);
    texts
        .extend([Some(enter), Sqlite::why_not(store.shared(), &entry)].into_iter().flatten().map(|one| one.sql.into()));
    for statistics in ["SELECT 1", "ANALYZE"] {
        raw_sql(statistics).execute(&pool).await.unwrap();
        for text in &texts {
            let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"))).fetch_all(&pool).await.unwrap();
            let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
            assert!(!steps.iter().any(|step| step.starts_with("SCAN diator_")), "{text}: {steps:?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{text}: {steps:?}");
        }
    }
}
