//! SeaORM places orders, and an outbox of `diator-sqlx` writes their events in SeaORM's own transaction.
//!
//! Run it with `cargo run` in this directory. It needs no server: SQLite and the broker are built in. A program with a
//! transaction type of its own writes a file like `transaction.rs`; the rest is as in any other program.

mod transaction;

use std::sync::Arc;

use diator::host::Host;
use diator::prelude::*;
use diator_sqlx::SqlxStore;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseConnection, SqlxSqliteConnector};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqlitePoolOptions;

use self::transaction::{Transaction, closing_what_is_left_open};

mod order {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "orders")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub customer: String,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[derive(Debug, Command)]
struct PlaceOrder {
    id: i64,
    customer: &'static str,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders", key = id)]
struct OrderPlaced {
    id: i64,
}

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler {
    transaction: Arc<Transaction>,
}

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        let PlaceOrder { id, customer } = command;
        cx.emit(OrderPlaced { id });
        let order = order::ActiveModel { id: Set(id), customer: Set(customer.to_owned()) };
        order.insert(&*self.transaction.connection().await?).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // A database in memory lives as long as its one connection.
    let options = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = closing_what_is_left_open(options).connect("sqlite::memory:").await?;
    sqlx::raw_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL)").execute(&pool).await?;
    let store = SqlxStore::new(pool.clone());
    store.apply_schema().await?;

    // Not `store.services()`, which would register the transaction of `diator-sqlx`.
    let services =
        Services::new().value(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)).unit_of_work(|scope| async move {
            let db: Arc<DatabaseConnection> = scope.resolve().await?;
            Ok(Transaction::begin(&db, scope.kind()).await?)
        });
    let broker = InMemoryBroker::new();
    let mediator = Mediator::from_registry()
        .container(services)
        .broker(broker.clone())
        .outbox(store.outbox_in::<Transaction>())
        .build()?;

    for (id, customer) in [(1, "Ada"), (1, "Bob"), (2, "Bob")] {
        match mediator.send(PlaceOrder { id, customer }).await {
            Ok(()) => println!("order {id} for {customer}: placed"),
            Err(error) => println!("order {id} for {customer}: {error}"),
        }
    }
    Host::new(mediator).relay(store.relay()).run_until(broker.published_at_least(2)).await?;
    println!("published: {:?}", broker.published_events::<OrderPlaced>());
    Ok(())
}
