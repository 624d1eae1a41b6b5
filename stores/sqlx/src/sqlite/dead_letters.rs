use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use diator::outbox::{DeadLetter, DeadLetterFilter, DeadLetters};
use diator::{BoxError, async_trait};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite};

use super::NOW;
use super::row::message;
use super::turn::{commit, execute, turn};
use crate::store::{MESSAGE, Prefix, SqlxStore, sql};

const CHOSEN: &str = "
WHERE (json_array_length(?1) = 0 OR number IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR topic = ?2)
AND (?3 IS NULL OR name = ?3) AND (?4 IS NULL OR instr(reason, ?4) > 0)
ORDER BY number LIMIT ?5";

#[derive(Clone, Debug)]
pub(super) struct Sql {
    list: Arc<str>,
    put_back: Arc<str>,
    discard: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        let list = format!("SELECT number, attempts, reason, parks_key, at, {MESSAGE} FROM {{p}}dead_letter {CHOSEN}");
        let put_back = format!(
            "INSERT INTO {{p}}outbox (created_at, seq, partition, from_epoch, {MESSAGE})
            SELECT {NOW}, seq, partition, (
                SELECT l.epoch + 1 FROM {{p}}outbox_lease l WHERE l.partition = {{p}}dead_letter.partition
            ), {MESSAGE} FROM {{p}}dead_letter {CHOSEN}"
        );
        let discard =
            format!("DELETE FROM {{p}}dead_letter WHERE number IN (SELECT number FROM {{p}}dead_letter {CHOSEN})");
        Self { list: prefix.fill(&list), put_back: prefix.fill(&put_back), discard: prefix.fill(&discard) }
    }
}

#[async_trait]
impl<Tag: Send + Sync + 'static> DeadLetters for SqlxStore<Sqlite, Tag> {
    async fn list(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetter>, BoxError> {
        let rows = chosen(&self.shared().sql.dead_letters.list, filter)?.fetch_all(&self.shared().pool).await?;
        rows.iter().map(decode).collect()
    }

    async fn replay(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError> {
        let texts = &self.shared().sql.dead_letters;
        let turn = turn(self.shared());
        let mut connection = turn.connection().await?;
        let replayed = chosen(&texts.put_back, filter)?.execute(&mut *connection).await?.rows_affected();
        chosen(&texts.discard, filter)?.execute(&mut *connection).await?;
        commit(&turn, connection).await?;
        super::wake::committed(self.shared());
        Ok(replayed)
    }

    async fn discard(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError> {
        let discard = chosen(&self.shared().sql.dead_letters.discard, filter)?;
        let discarded = execute(self.shared(), discard).await?;
        // What a discarded one has held back can go on.
        super::wake::committed(self.shared());
        Ok(discarded)
    }
}

fn chosen<'q>(text: &Arc<str>, filter: &'q DeadLetterFilter) -> Result<Query<'q, Sqlite, SqliteArguments>, BoxError> {
    let query = sqlx::query(sql(text)).bind(serde_json::to_string(&filter.ids)?);
    let query = query.bind(filter.topic.as_deref()).bind(filter.name.as_deref()).bind(filter.reason.as_deref());
    // A negative limit is none.
    Ok(query.bind(filter.limit.map_or(-1, i64::from)))
}

fn decode(row: &SqliteRow) -> Result<DeadLetter, BoxError> {
    let at = UNIX_EPOCH + Duration::from_millis(row.try_get::<i64, _>(4)?.try_into()?);
    let message = message(row, 5).map_err(|error| error.to_string());
    let mut letter = DeadLetter::new(row.try_get(0)?, message, row.try_get::<String, _>(2)?, at);
    letter.attempts = row.try_get(1)?;
    letter.parks_key = row.try_get(3)?;
    Ok(letter)
}
