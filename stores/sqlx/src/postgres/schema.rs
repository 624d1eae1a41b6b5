use diator::container::{CommitError, UnitOfWork};
use diator::outbox::{SchemaState, StoreSchema};
use diator::{BoxError, async_trait};
use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row, raw_sql};

use crate::store::{MIGRATIONS_LOCK, Migration, Shared, SqlxStore, Untouchable, needed, script, sql, unusable};
use crate::transaction::{Mode, Transaction};

/// Applied in their order, each at most once; what was released in here never changes. [`Migration`] says what a step may do, so that
/// programs of the version before go on.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, oldest: 1, statements: include_str!("schema/1.sql") },
    Migration { version: 2, oldest: 1, statements: include_str!("schema/2.sql") },
    Migration { version: 3, oldest: 1, statements: include_str!("schema/3.sql") },
];

pub(super) const VERSION: &str = "SELECT version, oldest FROM {p}schema";

#[async_trait]
impl<Tag: Send + Sync + 'static> StoreSchema for SqlxStore<Postgres, Tag> {
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
        let transaction = Transaction::<Postgres>::new(shared.pool.clone(), Mode::Write);
        let mut connection = transaction.connection().await?;
        // It must see what another process applied while it waited for the lock, whatever the default isolation is.
        raw_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED").execute(&mut *connection).await?;
        let lock = format!("{MIGRATIONS_LOCK} {}", shared.prefix.as_str());
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(lock)
            .execute(&mut *connection)
            .await?;
        // A statement that fails would end the transaction.
        let there = shared.prefix.fill("{p}schema");
        let there = sqlx::query("SELECT to_regclass($1) IS NOT NULL").bind(&*there).fetch_one(&mut *connection).await?;
        let found = if there.try_get(0)? { found(shared, &mut connection).await? } else { None };
        if let state @ SchemaState::TooNew { .. } = SchemaState::judge(found, needed(MIGRATIONS)) {
            return Err(state.to_string().into());
        }
        let version = found.map_or(0, |(version, _)| version);
        for migration in MIGRATIONS.iter().filter(|migration| migration.version > version) {
            let script = AssertSqlSafe(migration.script(&shared.prefix));
            raw_sql(script).execute(&mut *connection).await?;
        }
        drop(connection);
        transaction.commit().await.map_err(CommitError::into_source)
    }
}

async fn state(shared: &Shared<Postgres>) -> sqlx::Result<SchemaState> {
    let found = async { found(shared, &mut *shared.pool.acquire().await?).await }.await;
    let found = match found {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => None,
        found => found?,
    };
    Ok(SchemaState::judge(found, needed(MIGRATIONS)))
}

const UNDEFINED_TABLE: &str = "42P01";

async fn found(shared: &Shared<Postgres>, connection: &mut PgConnection) -> sqlx::Result<Option<(u32, u32)>> {
    let row = sqlx::query(sql(&shared.sql.version)).fetch_optional(connection).await?;
    row.map(|row| Ok((row.try_get::<i32, _>(0)?.cast_unsigned(), row.try_get::<i32, _>(1)?.cast_unsigned())))
        .transpose()
}

pub(super) async fn check(shared: &Shared<Postgres>) -> Result<(), BoxError> {
    match state(shared).await {
        Ok(state) if state.is_usable() => match touch(shared).await {
            Err(error) if is_lasting(&error.source) => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        },
        Ok(state) => Err(unusable(state, &shared.prefix)),
        Err(error) if is_lasting(&error) => Err(error.into()),
        Err(_) => Ok(()),
    }
}

async fn touch(shared: &Shared<Postgres>) -> Result<(), Untouchable> {
    let touched = sqlx::query(sql(&shared.sql.touch)).execute(&shared.pool).await;
    touched.map(drop).map_err(|source| Untouchable { prefix: shared.prefix.clone(), source })
}

/// Whether the user may not read a table, or there is none, so that waiting does not help.
fn is_lasting(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code.starts_with("42"))
}
