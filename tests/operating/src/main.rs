//! A shop on SQLite that can be broken, and the command line of whoever operates it.
//!
//! The scripts in `systems` run it; `docs/operating.md` shows what they print.

mod billing;
mod shop;

use std::env;
use std::process::ExitCode;

use diator::BoxError;
use diator::prelude::*;
use diator_catalog::cli::Cli;
use diator_sqlx::{SqlxStore, sqlite_options};
use sqlx::{Sqlite, SqlitePool};

/// The database whose file `DATABASE` names.
async fn pool() -> Result<SqlitePool, BoxError> {
    Ok(SqlitePool::connect_with(sqlite_options().filename(env::var("DATABASE")?)).await?)
}

async fn store() -> Result<SqlxStore<Sqlite>, BoxError> {
    Ok(SqlxStore::new(pool().await?))
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let part = arguments.next().unwrap_or_default();
    let arguments: Vec<_> = arguments.collect();
    if part == "ops" {
        let arguments = ["ops".to_owned()].into_iter().chain(arguments);
        let builder = Mediator::from_registry().broker(InMemoryBroker::new());
        return Cli::new(builder).store(store).run_with(arguments.map(Into::into));
    }
    let done = tokio::runtime::Runtime::new().map_err(BoxError::from).and_then(|runtime| {
        runtime.block_on(async {
            let pool = pool().await?;
            let store = SqlxStore::new(pool.clone());
            store.apply_schema().await?;
            match part.as_str() {
                "orders" => shop::take(&pool, &store, &arguments).await,
                "relay" => shop::publish(&store, &arguments).await,
                "bill" => billing::run(&store, &arguments).await,
                other => Err(format!("the shop has no part `{other}`").into()),
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
