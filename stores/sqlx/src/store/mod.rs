//! The code that the stores of all databases share.

mod attempts;
mod comparison;
mod deliveries;
mod delivery;
mod engine;
mod enters_rows;
mod inbox;
mod message;
mod no_tables;
mod outbox;
mod prefix;
mod schema;
mod stages_rows;
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "SQLite has no way to tell other processes"))]
mod wake;

use std::any::{TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use diator::outbox::{OutboxStore, StoreSchema};
use diator::relay::Relay;
use diator::{BoxError, InvalidConfig, MessageKind, Services};
use sqlx::{AssertSqlSafe, Pool};

pub use self::attempts::SqlxAttemptLog;
pub(crate) use self::attempts::{before, counted};
pub use self::deliveries::SqlxDeliveries;
pub(crate) use self::delivery::{
    DELIVERY, StoredDelivery, after_of, failure, headers_of, holds_key, is_dead, reason_of, state,
};
pub use self::engine::Engine;
pub(crate) use self::engine::{Messages, Sealed};
pub use self::enters_rows::EntersRows;
pub(crate) use self::inbox::BEHIND;
pub use self::inbox::SqlxInbox;
#[cfg(feature = "sqlite")]
pub(crate) use self::message::Seldom;
pub(crate) use self::message::{MESSAGE, StoredMessage, headers_text, micros, readable};
use self::no_tables::NoTables;
pub use self::outbox::SqlxOutbox;
pub(crate) use self::prefix::Prefix;
use self::schema::APPLY;
#[cfg(feature = "postgres")]
pub(crate) use self::schema::MIGRATIONS_LOCK;
pub(crate) use self::schema::{Migration, Untouchable, needed, script, touch, unusable};
pub use self::stages_rows::{StageValue, StagesRows};
pub(crate) use self::stages_rows::{Statement, placeholders};
#[cfg(feature = "postgres")]
pub(crate) use self::wake::Task;
pub(crate) use self::wake::Wake;
use crate::transaction::{Mode, Transaction, WriteQueue};

/// How long an attempt that was never ended is kept.
pub(crate) const ATTEMPTS_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How long a relay stays the cleaner, which deletes old sent messages.
pub(crate) const CLEANER_LEASE: Duration = Duration::from_secs(10 * 60);

/// Holds the outbox, its dead letters, the inbox and their tables in one database.
///
/// A program with several databases has a store for each, and tells them apart by `Tag`, a type of its own. `Tag` is `()` for the only
/// store.
///
/// # Guarantees
///
/// - Clones share everything. A new store opens no connection and runs no statement.
/// - All times come from the clock of the database.
/// - Only [`apply_schema`](Self::apply_schema) and [`StoreSchema::apply`] make or change tables.
///
/// # Example
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use std::sync::Arc;
/// # use diator::prelude::*;
/// use diator_sqlx::{SqlxStore, Transaction};
/// use sqlx::{Sqlite, SqlitePool};
///
/// # #[derive(Command)] struct PlaceOrder;
/// #[request_handler(PlaceOrder)]
/// struct PlaceOrderHandler { transaction: Arc<Transaction<Sqlite>> }
/// # impl RequestHandler<PlaceOrder> for PlaceOrderHandler {
/// #     async fn handle(&self, _: PlaceOrder, _: &mut RequestContext<'_, PlaceOrder>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
///
/// let store = SqlxStore::new(SqlitePool::connect("sqlite::memory:").await?);
/// store.apply_schema().await?;
/// let mediator = Mediator::builder()
///     .handlers(handlers![PlaceOrderHandler])
///     .container(store.services())
///     .outbox(store.outbox())
///     .broker(InMemoryBroker::new())
///     .build()?;
/// mediator.send(PlaceOrder).await?;
/// # Ok(()) }
/// ```
///
/// # Source
///
/// The pattern Transactional Outbox of C. Richardson, "Microservices Patterns".
pub struct SqlxStore<DB: Engine, Tag = ()> {
    shared: Arc<Shared<DB>>,
    tag: PhantomData<fn() -> Tag>,
}

/// The part that clones of a store share.
pub struct Shared<DB: Engine> {
    pub(crate) pool: Pool<DB>,
    pub(crate) prefix: Prefix,
    pub(crate) sql: DB::Sql,
    pub(crate) serialise_keys: bool,
    queue: Option<WriteQueue<DB>>,
    pub(crate) wake: Arc<Wake>,
}

impl<DB: Engine> Shared<DB> {
    /// A transaction of the store, which writes when it is its turn.
    pub(crate) fn transaction<Tag>(&self, mode: Mode) -> Transaction<DB, Tag> {
        Transaction::new(self.pool.clone(), mode).queued(self.queue.clone())
    }

    /// The database and the tables, without credentials.
    pub(crate) fn place(&self) -> String {
        format!("the tables `{}…` in {}", self.prefix.as_str(), DB::database(&self.pool.connect_options()))
    }
}

impl<DB: Engine> fmt::Debug for Shared<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("prefix", &self.prefix.as_str()).finish_non_exhaustive()
    }
}

impl<DB: Engine> Clone for Shared<DB> {
    fn clone(&self) -> Self {
        let Self { pool, prefix, sql, serialise_keys, queue, wake } = self;
        let (pool, prefix, sql, wake) = (pool.clone(), prefix.clone(), sql.clone(), wake.clone());
        Self { pool, prefix, sql, serialise_keys: *serialise_keys, queue: queue.clone(), wake }
    }
}

impl<DB: Engine> SqlxStore<DB> {
    /// Makes a store in the database of this pool.
    ///
    /// The names of its tables begin with `diator_`; [`prefix`](Self::prefix) changes that. A program with several databases calls
    /// [`tagged`](Self::tagged) for the others.
    #[must_use]
    pub fn new(pool: Pool<DB>) -> Self {
        Self::tagged(pool)
    }
}

impl<DB: Engine, Tag: Send + Sync + 'static> SqlxStore<DB, Tag> {
    /// Makes a store in one of several databases.
    ///
    /// The caller names the tag: `SqlxStore::<_, Billing>::tagged(pool)`.
    #[must_use]
    pub fn tagged(pool: Pool<DB>) -> Self {
        let prefix = Prefix::default();
        let (sql, queue) = (DB::sql(&prefix), DB::ONE_WRITES.then(|| WriteQueue::new(pool.clone())));
        Self::of(Shared { pool, prefix, sql, serialise_keys: false, queue, wake: Arc::new(Wake::new(true)) })
    }

    /// Sets the prefix of the names of the tables; the default is `diator_`.
    ///
    /// A prefix consists of letters, digits and underscores, and must not begin with a digit. On PostgreSQL it may name a schema:
    /// `shop.diator_`. That schema must exist.
    ///
    /// # Errors
    ///
    /// The prefix has other characters, or a part of it is longer than 40 characters; the error lists every problem. A retry cannot help.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, InvalidConfig> {
        let prefix = Prefix::new(prefix, DB::HAS_SCHEMAS)?;
        let shared = self.shared_mut();
        shared.sql = DB::sql(&prefix);
        shared.prefix = prefix;
        shared.wake = Arc::new(Wake::new(shared.wake.others));
        Ok(self)
    }

    /// Registers the pool, and a [`Transaction`] for each message as its unit of work.
    ///
    /// A store with a tag does not register its pool, because handlers could not tell two pools of one type apart.
    ///
    /// # Guarantees
    ///
    /// The transaction of a query is for reading. PostgreSQL refuses a statement that writes in it; **SQLite does not refuse it**.
    ///
    /// # Example
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")] {
    /// use std::sync::Arc;
    ///
    /// use diator::Services;
    /// use diator_sqlx::{SqlxStore, Transaction};
    /// use sqlx::{Sqlite, SqlitePool};
    ///
    /// struct Orders(Arc<Transaction<Sqlite>>);
    ///
    /// fn services(pool: SqlitePool) -> Services {
    ///     Services::new().extend(SqlxStore::new(pool).services()).scoped(|scope| Ok(Orders(scope.get()?)))
    /// }
    /// # let _ = services;
    /// # }
    /// ```
    #[must_use]
    pub fn services(&self) -> Services {
        let store = self.clone();
        let services = Services::new().unit_of_work_sync(move |scope| {
            let mode = if scope.kind() == Some(MessageKind::Query) { Mode::Read } else { Mode::Write };
            Ok(store.transaction(mode))
        });
        if TypeId::of::<Tag>() == TypeId::of::<()>() { services.value(self.shared.pool.clone()) } else { services }
    }

    /// Makes a transaction like those that [`services`](Self::services) registers, for a program that works without a mediator.
    ///
    /// On SQLite it waits for its turn among all transactions that write through the store. One of [`Transaction::new`] does not wait in that queue.
    ///
    /// # Example
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")] {
    /// use diator::BoxError;
    /// use diator::container::{CommitError, UnitOfWork};
    /// use diator_sqlx::{Mode, SqlxStore};
    /// use sqlx::Sqlite;
    ///
    /// async fn clear(store: &SqlxStore<Sqlite>) -> Result<(), BoxError> {
    ///     let transaction = store.transaction(Mode::Write);
    ///     sqlx::query("DELETE FROM basket").execute(&mut *transaction.connection().await?).await?;
    ///     transaction.commit().await.map_err(CommitError::into_source)
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn transaction(&self, mode: Mode) -> Transaction<DB, Tag> {
        self.shared.transaction(mode).marked()
    }

    /// Makes the outbox that writes in the [`Transaction`] of each message.
    #[must_use]
    pub fn outbox(&self) -> SqlxOutbox<DB, Transaction<DB, Tag>>
    where
        Transaction<DB, Tag>: StagesRows,
    {
        SqlxOutbox::new(self.shared.clone(), Some(Transaction::pool_of_store))
    }

    /// Makes an outbox that writes in the program's own unit of work, `U`.
    ///
    /// The container must register `U` as a unit of work; [`services`](Self::services) is then not needed.
    ///
    /// # Example
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")] {
    /// use diator::MediatorBuilder;
    /// use diator_sqlx::{SqlxStore, StagesRows};
    /// use sqlx::Sqlite;
    ///
    /// fn with_outbox<U: StagesRows>(builder: MediatorBuilder, store: &SqlxStore<Sqlite>) -> MediatorBuilder {
    ///     builder.outbox(store.outbox_in::<U>())
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn outbox_in<U: StagesRows>(&self) -> SqlxOutbox<DB, U> {
        SqlxOutbox::new(self.shared.clone(), None)
    }

    /// Makes the inbox that writes in the [`Transaction`] of each handler.
    #[must_use]
    pub fn inbox(&self) -> SqlxInbox<DB, Transaction<DB, Tag>>
    where
        Transaction<DB, Tag>: EntersRows,
    {
        SqlxInbox::new(self.shared.clone(), Some(Transaction::pool_of_store))
    }

    /// Makes an inbox that writes in the program's own unit of work, `U`, as [`outbox_in`](Self::outbox_in) does.
    #[must_use]
    pub fn inbox_in<U: EntersRows>(&self) -> SqlxInbox<DB, U> {
        SqlxInbox::new(self.shared.clone(), None)
    }

    /// Makes the delivery store of endpoints with the [inbox](Self::inbox), for an operator's tools.
    ///
    /// An endpoint takes it from its inbox.
    #[must_use]
    pub fn deliveries(&self) -> SqlxDeliveries<DB> {
        SqlxDeliveries::new(self.shared.clone(), inbox::kept(inbox::RETENTION))
    }

    /// Makes an attempt log for endpoints without an inbox; endpoints with an inbox take its attempt log.
    #[must_use]
    pub fn attempt_log(&self) -> SqlxAttemptLog<DB> {
        SqlxAttemptLog::new(self.shared.clone())
    }

    /// Deletes up to `limit` entries of the inbox whose time is over, and counts them.
    ///
    /// It also deletes up to `limit` notes of the [attempt log](Self::attempt_log) that are older than 7 days; the greater number counts.
    /// The relay of the store does so by itself. A program that has an inbox and no relay must call this now and then; several
    /// processes may call it at once.
    ///
    /// # Errors
    ///
    /// The database failed; a retry can help.
    pub async fn prune_inbox(&self, limit: u32) -> Result<u64, BoxError> {
        DB::prune_inbox(&self.shared, limit).await
    }

    /// Makes a relay, which publishes the events of this outbox.
    pub fn relay(&self) -> Relay
    where
        Self: OutboxStore,
    {
        Relay::new(self.clone())
    }

    /// Makes the tables or brings them up to date, as [`StoreSchema::apply`] does.
    ///
    /// # Errors
    ///
    /// - The database failed; a retry can help.
    /// - The tables are too new for this program; run a newer version of it.
    pub async fn apply_schema(&self) -> Result<(), BoxError>
    where
        Self: StoreSchema,
    {
        self.apply().await
    }

    /// Wakes the relays after a commit that the mediator did not make.
    ///
    /// Without it they find the rows at their next poll.
    pub fn wake(&self) {
        DB::committed(&self.shared);
    }

    pub(crate) fn shared_mut(&mut self) -> &mut Shared<DB> {
        Arc::make_mut(&mut self.shared)
    }

    fn of(shared: Shared<DB>) -> Self {
        Self { shared: Arc::new(shared), tag: PhantomData }
    }
}

impl<DB: Engine, Tag> SqlxStore<DB, Tag> {
    pub(crate) fn shared(&self) -> &Shared<DB> {
        &self.shared
    }
}

impl<DB: Engine, Tag> Clone for SqlxStore<DB, Tag> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), tag: PhantomData }
    }
}

impl<DB: Engine, Tag> fmt::Debug for SqlxStore<DB, Tag> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SqlxStore");
        shown.field("engine", &DB::NAME).field("prefix", &self.shared.prefix.as_str());
        shown.field("tag", &type_name::<Tag>()).finish_non_exhaustive()
    }
}

/// Makes a statement of a text whose only variable part is the [`Prefix`], which is checked; all other parts are parameters.
pub(crate) fn sql(text: &Arc<str>) -> AssertSqlSafe<Arc<str>> {
    AssertSqlSafe(text.clone())
}
