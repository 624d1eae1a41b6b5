use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use diator::outbox::{DeadLetter, DeadLetterFilter, DeadLetters};
use diator::{BoxError, async_trait};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row};

use super::row::{message, unsigned};
use crate::store::{MESSAGE, Prefix, SqlxStore, sql};

const CHOSEN: &str = "
WHERE (cardinality($1::bigint[]) = 0 OR number = ANY ($1)) AND ($2::text IS NULL OR topic = $2)
AND ($3::text IS NULL OR name = $3) AND ($4::text IS NULL OR position($4 IN reason) > 0)
ORDER BY number LIMIT $5";

#[derive(Clone, Debug)]
pub(super) struct Sql {
    list: Arc<str>,
    replay: Arc<str>,
    discard: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        // Chosen once: within the condition of the DELETE, some plans choose anew for each row, and take more than the limit.
        let chosen = format!("WITH chosen AS MATERIALIZED (SELECT number FROM {{p}}dead_letter {CHOSEN} FOR UPDATE)");
        let delete = "DELETE FROM {p}dead_letter WHERE number IN (SELECT number FROM chosen)";
        let discard = format!("{chosen} {delete}");
        let replay = format!(
            "{chosen}, gone AS ({delete} RETURNING *), now AS MATERIALIZED (
                SELECT partition, epoch FROM {{p}}outbox_lease
                WHERE partition IN (SELECT partition FROM gone) ORDER BY partition FOR SHARE
            )
            INSERT INTO {{p}}outbox (seq, partition, from_epoch, {MESSAGE})
            SELECT seq, partition, now.epoch + 1, {MESSAGE} FROM gone JOIN now USING (partition)"
        );
        let list = format!(
            "SELECT number, attempts::bigint, reason, parks_key, (extract(epoch FROM at) * 1000000)::bigint, {MESSAGE}
            FROM {{p}}dead_letter {CHOSEN}"
        );
        Self { list: prefix.fill(&list), replay: prefix.fill(&replay), discard: prefix.fill(&discard) }
    }
}

#[async_trait]
impl<Tag: Send + Sync + 'static> DeadLetters for SqlxStore<Postgres, Tag> {
    async fn list(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetter>, BoxError> {
        let rows = chosen(&self.shared().sql.dead_letters.list, filter).fetch_all(&self.shared().pool).await?;
        rows.iter().map(decode).collect()
    }

    async fn replay(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError> {
        let replayed = chosen(&self.shared().sql.dead_letters.replay, filter).execute(&self.shared().pool).await?;
        super::wake::committed(self.shared());
        Ok(replayed.rows_affected())
    }

    async fn discard(&self, filter: &DeadLetterFilter) -> Result<u64, BoxError> {
        let discarded = chosen(&self.shared().sql.dead_letters.discard, filter).execute(&self.shared().pool).await?;
        // What a discarded one has held back can go on.
        super::wake::committed(self.shared());
        Ok(discarded.rows_affected())
    }
}

fn chosen<'q>(text: &Arc<str>, filter: &'q DeadLetterFilter) -> Query<'q, Postgres, PgArguments> {
    let query = sqlx::query(sql(text)).bind(&filter.ids).bind(filter.topic.as_deref()).bind(filter.name.as_deref());
    query.bind(filter.reason.as_deref()).bind(filter.limit.map(i64::from))
}

fn decode(row: &PgRow) -> Result<DeadLetter, BoxError> {
    let at = UNIX_EPOCH + Duration::from_micros(unsigned(row, 4)?);
    let message = message(row, 5).map_err(|error| error.to_string());
    let mut letter = DeadLetter::new(row.try_get(0)?, message, row.try_get::<String, _>(2)?, at);
    letter.attempts = unsigned(row, 1)?.try_into()?;
    letter.parks_key = row.try_get(3)?;
    Ok(letter)
}
