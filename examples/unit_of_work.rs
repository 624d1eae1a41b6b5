//! One SQLite transaction for a command, the domain events that it causes and the requests that it sends.
//!
//! Run it with `cargo run --example unit_of_work`. It needs no server: SQLite is built in. The program removes the temporary folder of its
//! file at the end. `docs/unit-of-work.md` explains it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, process};

use diator::prelude::*;
use diator_sqlx::{SqlxStore, Transaction};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool};

// --- Messages. ----------------------------------------------------------------------------------

#[derive(Debug, Command)]
struct PlaceOrder {
    order: i64,
    quantity: i64,
    voucher: Option<&'static str>,
}

#[derive(Debug, Command)]
struct RedeemVoucher {
    voucher: &'static str,
}

#[derive(Debug, DomainEvent)]
struct OrderPlaced {
    quantity: i64,
}

// --- Handlers: none of them knows where the transaction begins or ends. -------------------------

#[request_handler(PlaceOrder)]
struct PlaceOrderHandler {
    orders: Arc<Orders>,
}

impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
    async fn handle(&self, command: PlaceOrder, cx: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> {
        let PlaceOrder { order, quantity, voucher } = command;
        self.orders.add(order, quantity).await?;
        if let Some(voucher) = voucher {
            // If this fails, only the nested request's writes are undone, and the order remains.
            if let Err(error) = cx.send(RedeemVoucher { voucher }).await {
                println!("  no voucher: {error}");
            }
        }
        cx.emit(OrderPlaced { quantity });
        Ok(())
    }
}

#[request_handler(RedeemVoucher)]
struct RedeemVoucherHandler {
    account: Arc<Account>,
    orders: Arc<Orders>,
}

impl RequestHandler<RedeemVoucher> for RedeemVoucherHandler {
    async fn handle(
        &self,
        command: RedeemVoucher,
        _cx: &mut RequestContext<'_, RedeemVoucher>,
    ) -> Result<(), BoxError> {
        self.account.add(5).await?;
        self.orders.redeem(command.voucher).await
    }
}

#[event_handler(OrderPlaced, order = 10)]
struct TakeFromStock {
    orders: Arc<Orders>,
}

impl EventHandler<OrderPlaced> for TakeFromStock {
    async fn handle(&self, event: &OrderPlaced, _cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.orders.take_from_stock(event.quantity).await
    }
}

#[event_handler(OrderPlaced, order = 20)]
struct Charge {
    account: Arc<Account>,
}

impl EventHandler<OrderPlaced> for Charge {
    async fn handle(&self, event: &OrderPlaced, _cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        self.account.add(-20 * event.quantity).await
    }
}

// --- Services: all services of a message share its transaction. ---------------------------------

struct Orders(Arc<Transaction<Sqlite>>);

impl Orders {
    async fn add(&self, order: i64, quantity: i64) -> Result<(), BoxError> {
        let insert = sqlx::query("INSERT INTO orders VALUES (?, ?)").bind(order).bind(quantity);
        insert.execute(&mut *self.0.connection().await?).await?;
        Ok(())
    }

    async fn take_from_stock(&self, quantity: i64) -> Result<(), BoxError> {
        let update = sqlx::query("UPDATE stock SET pieces = pieces - ?").bind(quantity);
        update.execute(&mut *self.0.connection().await?).await?;
        Ok(())
    }

    async fn redeem(&self, voucher: &str) -> Result<(), BoxError> {
        let insert = sqlx::query("INSERT INTO redeemed VALUES (?)").bind(voucher);
        insert.execute(&mut *self.0.connection().await?).await?;
        Ok(())
    }
}

struct Account(Arc<Transaction<Sqlite>>);

impl Account {
    async fn add(&self, amount: i64) -> Result<(), BoxError> {
        let update = sqlx::query("UPDATE account SET balance = balance + ?").bind(amount);
        update.execute(&mut *self.0.connection().await?).await?;
        Ok(())
    }
}

fn services(store: &SqlxStore<Sqlite>) -> Services {
    Services::new()
        .extend(store.services())
        .scoped(|scope| Ok(Orders(scope.get()?)))
        .scoped(|scope| Ok(Account(scope.get()?)))
}

// --- The program. -------------------------------------------------------------------------------

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = Folder::new()?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("shop.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePool::connect_with(options.clone()).await?;
    sqlx::raw_sql(SCHEMA).execute(&pool).await?;
    // It sees only committed data.
    let mut reader = SqliteConnection::connect_with(&options).await?;

    let mediator = Mediator::from_registry().container(services(&SqlxStore::new(pool.clone()))).build()?;
    for (order, quantity, voucher) in [(1, 2, Some("WELCOME")), (2, 5, None), (3, 1, Some("WELCOME"))] {
        println!("order {order}, for {quantity}, with the voucher {voucher:?}:");
        match mediator.send(PlaceOrder { order, quantity, voucher }).await {
            Ok(()) => println!("  committed"),
            Err(error) => println!("  {error}: {}", error.source().map(ToString::to_string).unwrap_or_default()),
        }
        print(&mut reader).await?;
    }

    reader.close().await?;
    pool.close().await;
    Ok(())
}

const SCHEMA: &str = "
    CREATE TABLE orders (id INTEGER PRIMARY KEY, quantity INTEGER NOT NULL);
    CREATE TABLE redeemed (voucher TEXT PRIMARY KEY);
    CREATE TABLE stock (pieces INTEGER CHECK (pieces >= 0));
    CREATE TABLE account (balance INTEGER CHECK (balance >= 0));
    INSERT INTO stock VALUES (10);
    INSERT INTO account VALUES (100);
";

async fn print(reader: &mut SqliteConnection) -> sqlx::Result<()> {
    let orders: Vec<i64> = sqlx::query_scalar("SELECT id FROM orders ORDER BY id").fetch_all(&mut *reader).await?;
    let pieces: i64 = sqlx::query_scalar("SELECT pieces FROM stock").fetch_one(&mut *reader).await?;
    let balance: i64 = sqlx::query_scalar("SELECT balance FROM account").fetch_one(&mut *reader).await?;
    println!("  orders {orders:?}, {pieces} pieces in stock, balance {balance}");
    Ok(())
}

/// A temporary folder, removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = env::temp_dir().join(format!("diator-unit-of-work-{}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}
