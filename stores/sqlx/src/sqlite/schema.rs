use diator::outbox::{SchemaState, StoreSchema};
use diator::{BoxError, async_trait};
use sqlx::{AssertSqlSafe, Row, Sqlite, SqliteConnection, raw_sql};

use super::turn::{commit, turn};
use crate::store::{Migration, Shared, SqlxStore, needed, script, sql, unusable};

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
        Ok(state(self.shared()).await?)
    }

    async fn apply(&self) -> Result<(), BoxError> {
        let shared = self.shared();
        let turn = turn(&shared.pool);
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
        commit(&turn, connection).await
    }
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
        Ok(state) if !state.is_usable() => Err(unusable(state, &shared.prefix)),
        // A file that is busy or missing may become usable.
        Ok(_) | Err(_) => Ok(()),
    }
}
