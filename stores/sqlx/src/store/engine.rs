use std::sync::Arc;

use diator::outbox::StagedMessage;
use sqlx::Database;

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

    /// The statements that write these messages, in order.
    fn stage<'a>(shared: &Shared<Self>, messages: Messages<'a>) -> Vec<Statement<'a>>
    where
        Self: Engine;

    /// Wakes relays after a commit.
    fn committed(shared: &Arc<Shared<Self>>)
    where
        Self: Engine;
}

pub(crate) type Messages<'a> = &'a [StagedMessage];
