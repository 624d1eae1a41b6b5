use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use diator::MediatorBuilder;
use diator::prelude::*;
use diator_sqlx::{SqlxStore, Transaction};
use sqlx::Sqlite;
use tokio::sync::{Barrier, Notify};

use super::database::Database;
use super::waking::drop_after_wakes;

/// What a handler does, one step after the other.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write(i64),
    Sql(&'static str),
    /// The same, and goes on whatever comes of it.
    TrySql(&'static str),
    /// The entries that the transaction sees.
    See(&'static [i64]),
    Emit(Vec<Step>),
    /// Sends a request, and goes on whatever comes of it.
    Try(Vec<Step>),
    /// Sends a request, and fails as it does.
    Must(Vec<Step>),
    /// Sends a request, and gives it up once it hangs.
    GiveUp(Vec<Step>, Arc<Notify>),
    /// The same, after so many polls.
    GiveUpAfter(usize, Vec<Step>),
    Meet(Arc<Barrier>),
    /// Tells that it has come so far, and waits for ever.
    Hang(Arc<Notify>),
    /// Fails the first time.
    FailOnce(Arc<AtomicBool>),
    Fail,
    Panic,
}

pub(crate) use Step::{
    Emit, Fail, FailOnce, GiveUp, GiveUpAfter, Hang, Meet, Must, Panic, See, Sql, Try, TrySql, Write,
};

/// A command whose handler has the transaction.
#[derive(Clone, Debug, Command)]
#[request(idempotent)]
pub(crate) struct Writing(pub(crate) Vec<Step>);

/// A query whose handler has the transaction; it can only take steps that need nothing else.
#[derive(Debug, Query)]
#[request(response = ())]
pub(crate) struct Reading(pub(crate) Vec<Step>);

/// A command whose handler needs no scope.
#[derive(Debug, Command)]
pub(crate) struct Conducting(pub(crate) Vec<Step>);

#[derive(Debug, DomainEvent)]
pub(crate) struct Happened(Vec<Step>);

/// Takes the steps; the contexts of requests and events have no type in common.
macro_rules! play {
    ($steps:expr, $cx:ident, $transaction:expr) => {{
        let transaction: Option<&Transaction<Sqlite>> = $transaction;
        for step in $steps {
            match step {
                Emit(steps) => $cx.emit(Happened(steps)),
                Try(steps) => drop($cx.send(Writing(steps)).await),
                Must(steps) => $cx.send(Writing(steps)).await?,
                GiveUp(steps, hangs) => tokio::select! {
                    _ = $cx.send(Writing(steps)) => panic!("it was to hang"),
                    () = hangs.notified() => {}
                },
                GiveUpAfter(polls, steps) => drop(drop_after_wakes(polls, $cx.send(Writing(steps))).await),
                step => take(step, transaction).await?,
            }
        }
        Ok(())
    }};
}

async fn take(step: Step, transaction: Option<&Transaction<Sqlite>>) -> Result<(), BoxError> {
    let connection = async || transaction.ok_or("there is no transaction")?.connection().await;
    match step {
        Write(number) => {
            let insert = sqlx::query("INSERT INTO entries VALUES (?)").bind(number);
            insert.execute(&mut *connection().await?).await?;
        }
        Sql(statement) => {
            sqlx::raw_sql(statement).execute(&mut *connection().await?).await?;
        }
        TrySql(statement) => {
            let _tried = sqlx::raw_sql(statement).execute(&mut *connection().await?).await;
        }
        See(expected) => {
            let entries = sqlx::query_scalar::<_, i64>("SELECT number FROM entries ORDER BY number");
            assert_eq!(entries.fetch_all(&mut *connection().await?).await?, expected);
        }
        Meet(barrier) => {
            barrier.wait().await;
        }
        Hang(hangs) => {
            hangs.notify_one();
            pending::<()>().await;
        }
        FailOnce(failed) if failed.swap(true, Relaxed) => {}
        FailOnce(_) | Fail => return Err("it fails".into()),
        Panic => panic!("it panics"),
        Emit(_) | Try(_) | Must(_) | GiveUp(..) | GiveUpAfter(..) => unreachable!("`play!` takes these"),
    }
    Ok(())
}

#[request_handler(Writing)]
struct WritingHandler {
    transaction: Arc<Transaction<Sqlite>>,
}

impl RequestHandler<Writing> for WritingHandler {
    async fn handle(&self, command: Writing, cx: &mut RequestContext<'_, Writing>) -> Result<(), BoxError> {
        play!(command.0, cx, Some(&self.transaction))
    }
}

#[request_handler(Reading)]
struct ReadingHandler {
    transaction: Arc<Transaction<Sqlite>>,
}

impl RequestHandler<Reading> for ReadingHandler {
    async fn handle(&self, query: Reading, _cx: &mut RequestContext<'_, Reading>) -> Result<(), BoxError> {
        for step in query.0 {
            take(step, Some(&self.transaction)).await?;
        }
        Ok(())
    }
}

#[request_handler(Conducting)]
struct ConductingHandler;

impl RequestHandler<Conducting> for ConductingHandler {
    async fn handle(&self, command: Conducting, cx: &mut RequestContext<'_, Conducting>) -> Result<(), BoxError> {
        play!(command.0, cx, None)
    }
}

#[event_handler(Happened)]
struct HappenedHandler {
    transaction: Arc<Transaction<Sqlite>>,
}

impl EventHandler<Happened> for HappenedHandler {
    async fn handle(&self, event: &Happened, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
        play!(event.0.clone(), cx, Some(&self.transaction))
    }
}

pub(crate) fn mediator(database: &Database) -> Mediator {
    configured(database, |builder| builder)
}

pub(crate) fn configured(database: &Database, configure: impl FnOnce(MediatorBuilder) -> MediatorBuilder) -> Mediator {
    let store = SqlxStore::new(database.pool.clone());
    let handlers = handlers![WritingHandler, ReadingHandler, ConductingHandler, HappenedHandler];
    configure(Mediator::builder().handlers(handlers).container(store.services())).build().unwrap()
}
