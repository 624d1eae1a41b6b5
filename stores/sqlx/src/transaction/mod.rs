mod driver;
mod guard;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(all(test, feature = "postgres"))]
mod tests;
mod transient;

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use diator::container::{CommitError, Savepoints, UnitOfWork};
use diator::{BoxError, async_trait};
use sqlx::Pool;
use tokio::sync::{Mutex, MutexGuard};

pub(crate) use self::driver::Driver;
use self::open::Open;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use self::queue::NoTurn;
pub(crate) use self::queue::WriteQueue;

pub use self::driver::Transactional;
pub use self::guard::ConnectionGuard;
pub use self::transient::is_transient;

/// A transaction that belongs to one message, and commits or rolls back with it.
///
/// Services and handlers hold an `Arc` of it and execute their statements on its [`connection`](Self::connection). A program
/// with several databases gives each a `Tag`, which is a type of its own without values. A program that has a transaction
/// type already implements [`UnitOfWork`] for that one instead.
///
/// # Guarantees
///
/// - **Begin.** The transaction begins at its first use. A message that touches no data takes no connection. A nested request that is
///   the first to touch data costs no savepoint.
/// - **Commit.** `commit` answers `Ok` only if the database has committed. On PostgreSQL it first asks for the transaction's id, unless
///   the inbox or the outbox has told it; the commit fails if an earlier statement has failed. If the connection is lost during the
///   COMMIT, or the answer leaves open whether it was executed, another connection asks whether that id was aborted. If it was, the
///   outcome is rolled back; otherwise it is unknown, because a server that crashed may have given
///   the id to another transaction.
/// - **Drop.** A dropped transaction rolls back. A caller may drop every future of it at any point. No connection returns to its pool
///   with an open transaction.
/// - **A dropped `connection()` call on SQLite** can make the outcome unknown. Each call after the first asks SQLite whether the
///   transaction is still open, unless inbox or outbox made the last statement; so does each savepoint. If the caller drops the future
///   before SQLite has answered, the transaction
///   lends no connection any more, and `commit` fails with an unknown outcome. The transaction rolls back; only if SQLite had ended it
///   before can statements be committed. A call that still waits for another guard, or the first call, may be dropped without this
///   effect. PostgreSQL is not asked, so there is no such effect.
/// - **A queue on SQLite.** SQLite lets one transaction write at a time. Those of one [`SqlxStore`](crate::SqlxStore) that write wait for each
///   other in a queue: the first to come is the first to begin, and a waiting transaction has no connection. A caller must poll
///   or drop the future of a waiting `connection()`, because the next in the queue waits for it. A connection goes from one
///   writer to the next without the pool's hooks `after_release` and `before_acquire`. Transactions that read do not wait, and neither do those of
///   [`new`](Self::new): they ask SQLite, which knows no order, as do other processes.
/// - **Savepoints.** `begin` on a lent connection sets a savepoint.
/// - **Another end.** If the transaction ends in another way, such as `RAISE(ROLLBACK)` on SQLite or a dropped `begin` on a lent
///   connection, it lends no connection any more, and `commit` fails with an unknown outcome: the database may have committed the
///   statements that the same guard executed after that end. The connection is closed, and with it a database in memory.
/// - **A lost COMMIT without writes** on PostgreSQL is `Ok`. A `NOTIFY` in it may be lost, so listeners must also poll.
///
/// # Units
///
/// In the queue it waits for the pool's `acquire_timeout`, 30 seconds by default, and then for a connection and for SQLite's `busy_timeout`.
/// After a lost COMMIT it asks for 10 seconds at most, at intervals of 20 to 640 milliseconds. It does not limit the time of a
/// statement or of a COMMIT.
///
/// # Panics
///
/// If it is dropped outside a tokio runtime while it is open, as the connections of sqlx do.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "sqlite")] {
/// # use diator::BoxError;
/// use std::sync::Arc;
/// use diator_sqlx::Transaction;
/// use sqlx::Sqlite;
///
/// struct Account(Arc<Transaction<Sqlite>>);
///
/// impl Account {
///     async fn add(&self, amount: i64) -> Result<(), BoxError> {
///         let update = sqlx::query("UPDATE account SET balance = balance + ?").bind(amount);
///         update.execute(&mut *self.0.connection().await?).await?;
///         Ok(())
///     }
/// }
/// # }
/// ```
///
/// # Source
///
/// The pattern Unit of Work (Fowler, Patterns of Enterprise Application Architecture).
pub struct Transaction<DB: Transactional, Tag = ()> {
    pool: Pool<DB>,
    mode: Mode,
    is_marked: bool,
    queue: Option<WriteQueue<DB>>,
    state: Mutex<State<DB>>,
    tag: PhantomData<fn() -> Tag>,
}

/// Whether a transaction only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A query: `BEGIN READ ONLY` on PostgreSQL, a plain `BEGIN` on SQLite, which takes no lock for writing.
    Read,
    /// A command or an event: `BEGIN` on PostgreSQL, `BEGIN IMMEDIATE` on SQLite, which takes the lock for writing.
    Write,
}

struct State<DB: Driver> {
    stage: Stage<DB>,
    /// Savepoints that were set before the transaction began: undoing one of them undoes everything.
    unbegun: Vec<String>,
}

enum Stage<DB: Driver> {
    Unbegun,
    Open(Open<DB>),
    Ended(&'static str),
}

const ENDED: &str = "the transaction has ended";

impl<DB: Transactional, Tag> Transaction<DB, Tag> {
    /// Makes a transaction that has not begun, and takes no connection yet.
    ///
    /// With a store, [`SqlxStore::transaction`](crate::SqlxStore::transaction) makes it: on SQLite one of `new` waits in no queue.
    #[must_use]
    pub fn new(pool: Pool<DB>, mode: Mode) -> Self {
        let state = State { stage: Stage::Unbegun, unbegun: Vec::new() };
        Self { pool, mode, is_marked: false, queue: None, state: Mutex::new(state), tag: PhantomData }
    }

    /// Lets it begin with a mark, which spares the outbox a question.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn marked(self) -> Self {
        Self { is_marked: self.mode == Mode::Write, ..self }
    }

    /// Lets it wait in this queue before it begins, if it writes.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn queued(self, queue: Option<WriteQueue<DB>>) -> Self {
        Self { queue: queue.filter(|_| self.mode == Mode::Write), ..self }
    }

    /// Its pool, if a store has registered it to write.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn pool_of_store(&self) -> Option<&Pool<DB>> {
        self.is_marked.then_some(&self.pool)
    }

    /// Lends the connection of the transaction; the first call begins the transaction.
    ///
    /// # Guarantees
    ///
    /// - One guard exists at a time. Another caller waits until the guard is dropped. **A task that holds the guard and asks for another
    ///   one waits for ever.**
    /// - On SQLite a call that is dropped at the wrong moment makes the [outcome](Self#guarantees) of the commit unknown.
    ///
    /// # Errors
    ///
    /// - The pool has no connection, or BEGIN failed: a [`sqlx::Error`]. The next call tries again.
    /// - On SQLite other transactions of the store wrote for as long as the pool's `acquire_timeout`; that is [transient](is_transient). A
    ///   transaction that begins within another one on the same task ends so.
    /// - The transaction has ended. No call succeeds after that.
    /// - SQLite could not say whether the transaction is open: a [`sqlx::Error`]. No call succeeds after that.
    pub async fn connection(&self) -> Result<ConnectionGuard<'_, DB>, BoxError> {
        let mut state = self.state.lock().await;
        self.ready(&mut state).await?;
        let open = MutexGuard::try_map(state, |state| state.stage.open().ok()).map_err(|_| ENDED)?;
        Ok(ConnectionGuard(open))
    }

    async fn ready(&self, state: &mut State<DB>) -> Result<(), BoxError> {
        match &mut state.stage {
            // The box keeps the large future of sqlx out of each later call, which would be moved with it: 10,000 instructions a message.
            Stage::Unbegun => state.stage = Stage::Open(Box::pin(self.begin()).await?),
            Stage::Open(open) => {
                if let Err(error) = open.check().await {
                    // This closes the connection.
                    state.stage = Stage::Ended(open::ENDED_BY_ITSELF);
                    return Err(error);
                }
            }
            Stage::Ended(how) => return Err((*how).into()),
        }
        Ok(())
    }

    async fn begin(&self) -> Result<Open<DB>, BoxError> {
        let turn = match &self.queue {
            Some(queue) => Some(queue.turn().await?),
            None => None,
        };
        Ok(Open::begin(&self.pool, turn, self.mode, self.is_marked).await?)
    }

    async fn end(&self) -> Stage<DB> {
        std::mem::replace(&mut self.state.lock().await.stage, Stage::Ended(ENDED))
    }
}

impl<DB: Driver> Stage<DB> {
    fn open(&mut self) -> Result<&mut Open<DB>, BoxError> {
        match self {
            Self::Open(open) => Ok(open),
            Self::Unbegun => Err("the transaction has not begun".into()),
            Self::Ended(how) => Err((*how).into()),
        }
    }
}

#[async_trait]
impl<DB: Transactional, Tag: 'static> UnitOfWork for Transaction<DB, Tag> {
    async fn commit(&self) -> Result<(), CommitError> {
        match self.end().await {
            Stage::Unbegun => Ok(()),
            Stage::Open(open) => open.commit(&self.pool).await,
            Stage::Ended(how) => Err(CommitError::unknown(how)),
        }
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        match self.end().await {
            Stage::Open(open) => open.roll_back().await,
            Stage::Unbegun | Stage::Ended(_) => Ok(()),
        }
    }

    fn savepoints(&self) -> Option<&dyn Savepoints> {
        Some(self)
    }
}

#[async_trait]
impl<DB: Transactional, Tag: 'static> Savepoints for Transaction<DB, Tag> {
    async fn set(&self, name: &str) -> Result<(), BoxError> {
        let mut state = self.state.lock().await;
        if let Stage::Unbegun = state.stage {
            state.unbegun.push(name.to_owned());
            return Ok(());
        }
        self.ready(&mut state).await?;
        state.stage.open()?.execute(format!("SAVEPOINT {name}")).await
    }

    async fn roll_back_to(&self, name: &str) -> Result<(), BoxError> {
        let mut state = self.state.lock().await;
        if !state.unbegun.iter().any(|unbegun| unbegun == name) {
            return state.stage.open()?.execute(format!("ROLLBACK TO {name}")).await;
        }
        if let Stage::Ended(how) = state.stage {
            return Err(how.into());
        }
        match std::mem::replace(&mut state.stage, Stage::Unbegun) {
            Stage::Open(open) => open.roll_back().await,
            Stage::Unbegun | Stage::Ended(_) => Ok(()),
        }
    }

    async fn release(&self, name: &str) -> Result<(), BoxError> {
        let mut state = self.state.lock().await;
        if state.unbegun.pop_if(|unbegun| unbegun == name).is_some() {
            return Ok(());
        }
        state.stage.open()?.execute(format!("RELEASE {name}")).await
    }
}

impl<DB: Transactional, Tag> fmt::Debug for Transaction<DB, Tag> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("database", &DB::NAME)
            .field("tag", &type_name::<Tag>())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
