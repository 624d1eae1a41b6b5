#![cfg(feature = "postgres")]
//! An outbox in a transaction of the program's own, here a plain one of sqlx.

mod support;

use std::sync::Arc;

use diator::container::{CommitError, UnitOfWork};
use diator::outbox::{Outbox, OutboxStore};
use diator::prelude::*;
use diator_sqlx::{SqlxStore, StageValue, StagesRows};
use diator_testkit::{Postgres, within_patience};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgPool, PgTransaction};
use support::outbox::publish;
use tokio::sync::Mutex;

struct Own {
    pool: PgPool,
    transaction: Mutex<Option<PgTransaction<'static>>>,
}

impl Own {
    async fn run(
        &self,
        query: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) -> sqlx::Result<()> {
        let mut transaction = self.transaction.lock().await;
        if transaction.is_none() {
            *transaction = Some(self.pool.begin().await?);
        }
        let transaction = transaction.as_mut().expect("it has begun");
        query.execute(&mut **transaction).await.map(drop)
    }
}

#[diator::async_trait]
impl UnitOfWork for Own {
    async fn commit(&self) -> Result<(), CommitError> {
        match self.transaction.lock().await.take() {
            Some(transaction) => transaction.commit().await.map_err(CommitError::unknown),
            None => Ok(()),
        }
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        match self.transaction.lock().await.take() {
            Some(transaction) => Ok(transaction.rollback().await?),
            None => Ok(()),
        }
    }
}

#[diator::async_trait]
impl StagesRows for Own {
    async fn execute(&self, sql: &str, values: &[StageValue<'_>]) -> Result<(), BoxError> {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = match value {
                StageValue::SmallInt(value) => query.bind(value),
                StageValue::BigInt(value) => query.bind(value),
                StageValue::Text(value) => query.bind(value.as_deref()),
                StageValue::Uuid(value) => query.bind(value),
                StageValue::Bytes(value) => query.bind(value),
            };
        }
        Ok(self.run(query).await?)
    }
}

#[derive(Debug, Command)]
struct Join {
    user_id: i64,
    fails: bool,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "meetings", key = user_id)]
struct Joined {
    user_id: i64,
}

#[request_handler(Join)]
struct JoinHandler {
    own: Arc<Own>,
}

impl RequestHandler<Join> for JoinHandler {
    async fn handle(&self, Join { user_id, fails }: Join, cx: &mut RequestContext<'_, Join>) -> Result<(), BoxError> {
        self.own.run(sqlx::query("INSERT INTO participants VALUES ($1)").bind(user_id)).await?;
        cx.emit(Joined { user_id });
        cx.emit_after(std::time::Duration::from_secs(3_600), Joined { user_id });
        if fails { Err("it fails".into()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn events_commit_with_the_rows_of_a_transaction_of_ones_own() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let pool = PgPool::connect(&postgres.url()).await.unwrap();
        let store = SqlxStore::<sqlx::Postgres>::new(pool.clone()).serialise_keys();
        store.apply_schema().await.unwrap();
        postgres.psql("CREATE TABLE participants (user_id bigint PRIMARY KEY)");
        let own = pool.clone();
        let services =
            Services::new().unit_of_work_sync(move |_| Ok(Own { pool: own.clone(), transaction: Mutex::default() }));
        let broker = InMemoryBroker::new();
        let mediator = Mediator::builder()
            .handlers(handlers![JoinHandler])
            .container(services)
            .broker(broker.clone())
            .outbox(store.outbox_in::<Own>())
            .build()
            .unwrap();

        mediator.send(Join { user_id: 1, fails: false }).await.unwrap();
        mediator.send(Join { user_id: 2, fails: true }).await.unwrap_err();
        mediator.send(Join { user_id: 1, fails: false }).await.unwrap_err();
        mediator.emit(Joined { user_id: 3 }).await.unwrap();

        assert_eq!(postgres.psql("SELECT user_id FROM participants"), "1");
        publish(store.clone(), &broker, 2).await;
        let mut published: Vec<_> = broker.published().into_iter().filter_map(|message| message.key).collect();
        published.sort();
        assert_eq!(published, ["1", "3"]);
        let status = store.status().await.unwrap();
        assert_eq!((status.pending, status.scheduled, status.sent), (0, 1, 2));
        assert_eq!(store.outbox_in::<Own>().unit_of_work(), Some(diator::container::DependencyKey::of::<Own>()));
    })
    .await;
}
