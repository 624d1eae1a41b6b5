use std::sync::Arc;
use std::time::Duration;

use diator::deliveries::{AttemptLog, DeliveryStore};
use diator::inbox::Entry;
use diator::outbox::StagedMessage;
use diator::{BoxError, BoxFuture};
use sqlx::error::DatabaseError;
use sqlx::{Connection, Database};

use super::{Prefix, Shared, Statement};
use crate::transaction::Transactional;

/// A database that can hold a [`SqlxStore`](super::SqlxStore).
///
/// It is `sqlx::Postgres` or `sqlx::Sqlite`.
pub trait Engine: Transactional + Sealed {}

impl<DB: Transactional + Sealed> Engine for DB {}

/// The differences between the databases; other crates cannot implement it.
pub trait Sealed: Database {
    /// Whether the prefix may name a schema.
    const HAS_SCHEMAS: bool;
    /// The texts of all statements.
    type Sql: Clone + Send + Sync + 'static;

    fn sql(prefix: &Prefix) -> Self::Sql;

    /// Names the database that these options lead to, without credentials.
    fn database(options: &<Self::Connection as Connection>::Options) -> String;

    /// The statements that write these messages, in order.
    fn stage<'a>(shared: &Shared<Self>, messages: Messages<'a>) -> Vec<Statement<'a>>
    where
        Self: Engine;

    /// The statement that notes an entry: the number that it returns is positive if it is the first one. There is no row otherwise.
    fn enter<'a>(shared: &'a Shared<Self>, entry: &Entry<'a>, kept: Duration) -> Statement<'a>
    where
        Self: Engine;

    /// The statement that asks why the entry was not noted, if there is more than one reason: its number is 0, as without a row, if the
    /// entry is there, -1 if another transaction that notes it is open, and [`BEHIND`](super::BEHIND).
    fn why_not<'a>(shared: &'a Shared<Self>, entry: &Entry<'a>) -> Option<Statement<'a>>
    where
        Self: Engine;

    /// The delivery store of an inbox that keeps entries for so long.
    fn deliveries(shared: Arc<Shared<Self>>, kept: Duration) -> Arc<dyn DeliveryStore>
    where
        Self: Engine;

    fn attempt_log(shared: Arc<Shared<Self>>) -> Arc<dyn AttemptLog>
    where
        Self: Engine;

    /// Whether another transaction holds what a statement needs.
    fn is_busy(error: &(dyn DatabaseError + 'static)) -> bool;

    /// Whether the program can work with the tables; `Ok` where the database cannot be reached.
    fn check(shared: &Shared<Self>) -> BoxFuture<'_, Result<(), BoxError>>
    where
        Self: Engine;

    /// Deletes old entries of the inbox.
    fn prune_inbox(shared: &Arc<Shared<Self>>, limit: u32) -> BoxFuture<'_, Result<u64, BoxError>>
    where
        Self: Engine;

    /// Wakes relays after a commit.
    fn committed(shared: &Arc<Shared<Self>>)
    where
        Self: Engine;
}

pub(crate) type Messages<'a> = &'a [StagedMessage];
