use std::borrow::Cow;

use diator::outbox::{PARTITIONS, StagedMessage, partition_of};
use diator::{BoxError, async_trait};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row};

use crate::store::{
    MESSAGE, Messages, Prefix, Shared, StageValue, StagesRows, Statement, headers_text, micros, placeholders,
};
use crate::transaction::Transaction;

/// A statement has at most 65,535 parameters.
const MOST: usize = 1_000;

/// The texts for the usual numbers of messages, so that a connection keeps them prepared.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    outbox: Vec<String>,
    into_outbox: String,
    into_schedule: String,
    lock: String,
}

impl Sql {
    const KEPT: usize = 8;

    pub(super) fn new(prefix: &Prefix) -> Self {
        let into = |table: &str, column: &str| {
            prefix.fill(&format!("INSERT INTO {{p}}{table} ({column}partition, {MESSAGE}) VALUES "))
        };
        let mut sql = Self {
            outbox: Vec::new(),
            into_outbox: into("outbox", "").to_string(),
            into_schedule: into("schedule", "due, ").to_string(),
            // All transactions take the locks in the same order, so that they cannot deadlock.
            lock: prefix.fill("SELECT pg_advisory_xact_lock(lock) FROM (SELECT DISTINCT hashtextextended('{p} ' || key, 0) AS lock FROM jsonb_array_elements_text($1::text::jsonb) AS keys (key) ORDER BY lock) AS locks").to_string(),
        };
        sql.outbox = (1..=Self::KEPT).map(|rows| sql.outbox(rows)).collect();
        sql
    }

    /// It returns the transaction's number, by which its commit can be verified.
    fn outbox(&self, rows: usize) -> String {
        let values = placeholders("(#, #, #, #, #, #, #, #, #, #, #, #)", '$', rows);
        format!("{}{values} RETURNING pg_current_xact_id_if_assigned()::text::int8", self.into_outbox)
    }

    fn schedule(&self, rows: usize) -> String {
        let row = "(clock_timestamp() + #::bigint * interval '1 microsecond', #, #, #, #, #, #, #, #, #, #, #, #)";
        format!(
            "{}{} RETURNING pg_current_xact_id_if_assigned()::text::int8",
            self.into_schedule,
            placeholders(row, '$', rows)
        )
    }
}

pub(super) fn statements<'a>(shared: &Shared<Postgres>, messages: Messages<'a>) -> Vec<Statement<'a>> {
    let sql = &shared.sql.stage;
    let mut statements = Vec::new();
    if shared.serialise_keys {
        statements.extend(lock(sql, messages));
    }
    let delayed: Vec<_> = messages.iter().filter(|message| message.delay.is_some()).collect();
    for messages in delayed.chunks(MOST) {
        let values = messages.iter().flat_map(|staged| {
            let delay = StageValue::BigInt(micros(staged.delay.unwrap_or_default()));
            [delay].into_iter().chain(values(staged))
        });
        statements.push(Statement { sql: sql.schedule(messages.len()).into(), values: values.collect() });
    }
    let at_once: Vec<_> = messages.iter().filter(|message| message.delay.is_none()).collect();
    for messages in at_once.chunks(MOST) {
        let text = match sql.outbox.get(messages.len() - 1) {
            Some(kept) => kept.clone(),
            None => sql.outbox(messages.len()),
        };
        statements
            .push(Statement { sql: text.into(), values: messages.iter().flat_map(|staged| values(staged)).collect() });
    }
    statements
}

/// The partition and the columns of [`MESSAGE`].
fn values(staged: &StagedMessage) -> [StageValue<'_>; 12] {
    let message = &staged.message;
    let text = |text| StageValue::Text(Some(Cow::Borrowed(text)));
    let perhaps = |text: Option<_>| StageValue::Text(text.map(Cow::Borrowed));
    [
        StageValue::SmallInt(partition(partition_of(message))),
        StageValue::Uuid(Some(message.id)),
        text(message.message_type.as_str()),
        text(&message.name),
        perhaps(message.topic.as_deref()),
        perhaps(message.key.as_deref()),
        StageValue::Uuid(message.correlation_id),
        StageValue::Uuid(message.causation_id),
        perhaps(message.traceparent.as_deref()),
        text(&message.content_type),
        StageValue::Text(Some(headers_text(&message.headers))),
        StageValue::Bytes(&message.body),
    ]
}

/// The partition in the type of its column.
pub(super) fn partition(partition: u16) -> i16 {
    const { assert!(PARTITIONS < i16::MAX as u16) };
    partition.cast_signed()
}

/// However many keys there are, they are one parameter, and the statement is the same.
fn lock(sql: &Sql, messages: Messages<'_>) -> Option<Statement<'static>> {
    let mut keys: Vec<_> = messages
        .iter()
        .filter_map(|staged| {
            let key = staged.message.key.as_deref()?;
            Some(format!("{} {key}", staged.message.topic.as_deref().unwrap_or_default()))
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return None;
    }
    let keys = serde_json::to_string(&keys).expect("texts can be written");
    Some(Statement { sql: sql.lock.clone().into(), values: vec![StageValue::Text(Some(Cow::Owned(keys)))] })
}

pub(super) fn bind<'q>(
    mut query: Query<'q, Postgres, PgArguments>,
    values: &'q [StageValue<'_>],
) -> Query<'q, Postgres, PgArguments> {
    for value in values {
        query = match value {
            StageValue::SmallInt(value) => query.bind(value),
            StageValue::BigInt(value) => query.bind(value),
            StageValue::Text(value) => query.bind(value.as_deref()),
            StageValue::Uuid(value) => query.bind(value),
            StageValue::Bytes(value) => query.bind(value),
        };
    }
    query
}

#[async_trait]
impl<Tag: 'static> StagesRows for Transaction<Postgres, Tag> {
    async fn execute(&self, sql: &str, values: &[StageValue<'_>]) -> Result<(), BoxError> {
        // Texts of other lengths would push the program's own statements out of the connection's cache.
        let query = bind(sqlx::query(AssertSqlSafe(sql)), values).persistent(values.len() <= Sql::KEPT * 12);
        let mut connection = self.connection().await?;
        let rows = query.fetch_all(&mut *connection).await?;
        // Each row has the transaction's number, if the statement has written one.
        match rows.last().map(|row| row.try_get::<Option<i64>, _>(0)) {
            Some(Ok(Some(id))) => connection.staged(Some(id)),
            _ => drop(connection),
        }
        Ok(())
    }
}
