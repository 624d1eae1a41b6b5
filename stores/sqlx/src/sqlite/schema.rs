use diator::outbox::{SchemaState, StoreSchema};
use diator::{BoxError, async_trait};
use sqlx::{AssertSqlSafe, Row, Sqlite, SqliteConnection, raw_sql};

use super::turn::{commit, turn};
use crate::store::{Migration, Seldom, Shared, SqlxStore, Untouchable, needed, script, sql, unusable};

/// Applied in their order, each at most once; what was released in here never changes. [`Migration`] says what a step may do, so that
/// programs of the version before go on.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, oldest: 1, statements: include_str!("schema/1.sql") },
    Migration { version: 2, oldest: 1, statements: include_str!("schema/2.sql") },
    Migration { version: 3, oldest: 1, statements: include_str!("schema/3.sql") },
];

pub(super) const VERSION: &str = "SELECT version, oldest FROM {p}schema";

#[async_trait]
impl<Tag: Send + Sync + 'static> StoreSchema for SqlxStore<Sqlite, Tag> {
    fn statements(&self) -> String {
        script(MIGRATIONS, &self.shared().prefix)
    }

    async fn state(&self) -> Result<SchemaState, BoxError> {
        let state = state(self.shared()).await?;
        if state.is_usable() {
            touch(self.shared()).await?;
        }
        Ok(state)
    }

    async fn apply(&self) -> Result<(), BoxError> {
        let shared = self.shared();
        let turn = turn(shared);
        let mut connection = turn.connection().await?;
        let found = found(shared, &mut connection).await?;
        if let state @ SchemaState::TooNew { .. } = SchemaState::judge(found, needed(MIGRATIONS)) {
            return Err(state.to_string().into());
        }
        let version = found.map_or(0, |(version, _)| version);
        for migration in MIGRATIONS.iter().filter(|migration| migration.version > version) {
            let script = AssertSqlSafe(migration.script(&shared.prefix));
            raw_sql(script).execute(&mut *connection).await?;
        }
        commit(&turn, connection).await?;
        one_for_all(shared).await
    }
}

/// Refuses a database in memory of which each connection of the pool has its own.
async fn one_for_all(shared: &Shared<Sqlite>) -> Result<(), BoxError> {
    let pool = &shared.pool;
    let mut connection = pool.acquire().await?;
    let file = sqlx::query("PRAGMA database_list").fetch_one(&mut *connection).await?;
    let file: Option<String> = file.try_get("file")?;
    if file.is_some_and(|file| !file.is_empty()) || pool.options().get_max_connections() == 1 {
        return Ok(());
    }
    // While the one is held, the pool gives another one.
    let mut other = pool.acquire().await?;
    if found(shared, &mut connection).await?.is_some() && found(shared, &mut other).await?.is_some() {
        return Ok(());
    }
    Err("each connection of the pool has its own database in memory, and only one of them has the tables: take \
         `.max_connections(1)`, or `SqlitePool::connect(\"sqlite::memory:\")`, whose connections share one"
        .into())
}

async fn state(shared: &Shared<Sqlite>) -> sqlx::Result<SchemaState> {
    let found = found(shared, &mut *shared.pool.acquire().await?).await?;
    Ok(SchemaState::judge(found, needed(MIGRATIONS)))
}

async fn found(shared: &Shared<Sqlite>, connection: &mut SqliteConnection) -> sqlx::Result<Option<(u32, u32)>> {
    let table = shared.prefix.fill("{p}schema");
    let there = sqlx::query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1").bind(&*table);
    if there.fetch_optional(&mut *connection).await?.is_none() {
        return Ok(None);
    }
    let row = sqlx::query(sql(&shared.sql.version)).fetch_optional(connection).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

pub(super) async fn check(shared: &Shared<Sqlite>) -> Result<(), BoxError> {
    match state(shared).await {
        Ok(state) if state.is_usable() => match touch(shared).await {
            Err(error) if error.source.to_string().contains("no such table") => Err(error.into()),
            Ok(()) => {
                warn_of_journal(shared).await;
                Ok(())
            }
            Err(_) => Ok(()),
        },
        Ok(state) => Err(unusable(state, &shared.prefix)),
        // A file that is busy or missing may become usable.
        Err(_) => Ok(()),
    }
}

/// With another journal than that of [`sqlite_options`](crate::sqlite_options), everything is slower, and nothing is wrong.
async fn warn_of_journal(shared: &Shared<Sqlite>) {
    static TOLD: Seldom = Seldom::new();
    let asked = sqlx::query_scalar::<_, String>("PRAGMA journal_mode").fetch_one(&shared.pool).await;
    if let Ok(journal) = asked
        && !["wal", "memory"].contains(&&*journal)
        && TOLD.is_time()
    {
        tracing::warn!(
            journal,
            "the journal of the SQLite file is not `wal`: a transaction that reads makes those wait that write, handlers among them; \
             `sqlite_options()` sets it"
        );
    }
}

async fn touch(shared: &Shared<Sqlite>) -> Result<(), Untouchable> {
    let touched = sqlx::query(sql(&shared.sql.touch)).execute(&shared.pool).await;
    touched.map(drop).map_err(|source| Untouchable { prefix: shared.prefix.clone(), source })
}
