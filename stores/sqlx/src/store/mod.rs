//! What the stores of all data bases have in common.

mod engine;
mod message;
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

pub use self::engine::Engine;
pub(crate) use self::engine::{Messages, Sealed};
pub(crate) use self::message::{MESSAGE, StoredMessage, headers_text, micros, readable};
pub use self::outbox::SqlxOutbox;
pub(crate) use self::prefix::Prefix;
#[cfg(feature = "postgres")]
pub(crate) use self::schema::MIGRATIONS_LOCK;
pub(crate) use self::schema::{Migration, needed, script, unusable};
pub use self::stages_rows::{StageValue, StagesRows};
pub(crate) use self::stages_rows::{Statement, placeholders};
#[cfg(feature = "postgres")]
pub(crate) use self::wake::Task;
pub(crate) use self::wake::Wake;
use crate::transaction::{Mode, Transaction};

/// How long a relay stays the one that deletes what was sent long ago.
pub(crate) const CLEANER_LEASE: Duration = Duration::from_secs(10 * 60);

/// The outbox, its relay's store, the dead letters and the tables of all that, in one data base.
///
/// # Guarantees
///
/// - Clones share everything. Building one connects to nothing and runs no statement.
/// - All times are those of the data base's clock.
/// - The tables are made by [`apply`](diator::outbox::StoreSchema::apply) alone.
///
/// `Tag` is a type of the program's own that tells several data bases apart; it is `()` for the only one.
pub struct SqlxStore<DB: Engine, Tag = ()> {
    shared: Arc<Shared<DB>>,
    tag: PhantomData<fn() -> Tag>,
}

/// What clones of a store share.
pub struct Shared<DB: Engine> {
    pub(crate) pool: Pool<DB>,
    pub(crate) prefix: Prefix,
    pub(crate) sql: DB::Sql,
    pub(crate) serialise_keys: bool,
    pub(crate) wake: Arc<Wake>,
}

impl<DB: Engine> fmt::Debug for Shared<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("prefix", &self.prefix.as_str()).finish_non_exhaustive()
    }
}

impl<DB: Engine> Clone for Shared<DB> {
    fn clone(&self) -> Self {
        let Self { pool, prefix, sql, serialise_keys, wake } = self;
        let (pool, prefix, sql, wake) = (pool.clone(), prefix.clone(), sql.clone(), wake.clone());
        Self { pool, prefix, sql, serialise_keys: *serialise_keys, wake }
    }
}

impl<DB: Engine> SqlxStore<DB> {
    /// A store in the data base of this pool, whose tables have names that begin with `diator_`.
    ///
    /// A program with several data bases calls [`tagged`](Self::tagged) for the others.
    #[must_use]
    pub fn new(pool: Pool<DB>) -> Self {
        Self::tagged(pool)
    }
}

impl<DB: Engine, Tag: Send + Sync + 'static> SqlxStore<DB, Tag> {
    /// The same as [`new`](SqlxStore::new), in one of several data bases: `SqlxStore::<_, Billing>::tagged(pool)`.
    #[must_use]
    pub fn tagged(pool: Pool<DB>) -> Self {
        let prefix = Prefix::default();
        let sql = DB::sql(&prefix);
        Self::of(Shared { pool, prefix, sql, serialise_keys: false, wake: Arc::new(Wake::new(true)) })
    }

    /// Lets the names of the tables begin otherwise; `diator_` unless it is called.
    ///
    /// Letters, digits and underscores are allowed, and for PostgreSQL the name of a schema before it, which must be there already:
    /// `shop.diator_`.
    ///
    /// # Errors
    ///
    /// There are other characters in it, or it is too long.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, InvalidConfig> {
        let prefix = Prefix::new(prefix, DB::HAS_SCHEMAS)?;
        let shared = self.shared_mut();
        shared.sql = DB::sql(&prefix);
        shared.prefix = prefix;
        shared.wake = Arc::new(Wake::new(shared.wake.others));
        Ok(self)
    }

    /// The pool, and a [`Transaction`] for each message, registered as its unit of work: `Services::new().extend(store.services())`.
    ///
    /// The transaction of a query is for reading only. PostgreSQL refuses what a query writes; SQLite does not, so do not rely on it.
    /// Of several stores with tags, none registers its pool: pools of one type could not be told apart.
    #[must_use]
    pub fn services(&self) -> Services {
        let pool = self.shared.pool.clone();
        let services = Services::new().unit_of_work_sync(move |scope| {
            let mode = if scope.kind() == Some(MessageKind::Query) { Mode::Read } else { Mode::Write };
            Ok(Transaction::<DB, Tag>::new(pool.clone(), mode).marked())
        });
        if TypeId::of::<Tag>() == TypeId::of::<()>() { services.value(self.shared.pool.clone()) } else { services }
    }

    /// The outbox that writes in the [`Transaction`] of each message.
    #[must_use]
    pub fn outbox(&self) -> SqlxOutbox<DB, Transaction<DB, Tag>>
    where
        Transaction<DB, Tag>: StagesRows,
    {
        self.outbox_in()
    }

    /// The outbox that writes in the transactions of `U`, a unit of work of the program's own.
    #[must_use]
    pub fn outbox_in<U: StagesRows>(&self) -> SqlxOutbox<DB, U> {
        SqlxOutbox::new(self.shared.clone())
    }

    /// What publishes the events of this outbox.
    pub fn relay(&self) -> Relay
    where
        Self: OutboxStore,
    {
        Relay::new(self.clone())
    }

    /// Makes the tables, or brings them up to date; it is [`StoreSchema::apply`].
    ///
    /// # Errors
    ///
    /// The data base failed, or its tables are too new.
    pub async fn apply_schema(&self) -> Result<(), BoxError>
    where
        Self: StoreSchema,
    {
        self.apply().await
    }

    /// Tells a relay of this process that rows were committed, if the outbox did not see it.
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

/// A statement whose changing parts are values; only the [`Prefix`], which is checked, was put into its text.
pub(crate) fn sql(text: &Arc<str>) -> AssertSqlSafe<Arc<str>> {
    AssertSqlSafe(text.clone())
}
