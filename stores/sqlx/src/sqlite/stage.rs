use std::borrow::Cow;

use diator::outbox::{StagedMessage, partition_of};
use diator::{BoxError, async_trait};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Sqlite};
use uuid::Uuid;

use super::{NOW, millis};
use crate::store::{MESSAGE, Messages, Prefix, Shared, StageValue, StagesRows, Statement, headers_text, placeholders};
use crate::transaction::Transaction;

/// A statement has at most 32,766 parameters.
const MOST: usize = 1_000;

/// The texts for the usual numbers of messages, so that a connection keeps them prepared.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    outbox: Vec<String>,
    into_outbox: String,
    into_schedule: String,
}

impl Sql {
    const KEPT: usize = 8;

    pub(super) fn new(prefix: &Prefix) -> Self {
        let into = |table: &str, time: &str| {
            prefix.fill(&format!("INSERT INTO {{p}}{table} ({time}, partition, {MESSAGE}) VALUES ")).to_string()
        };
        let (into_outbox, into_schedule) = (into("outbox", "created_at"), into("schedule", "due"));
        let mut sql = Self { outbox: Vec::new(), into_outbox, into_schedule };
        sql.outbox = (1..=Self::KEPT).map(|rows| sql.outbox(rows)).collect();
        sql
    }

    fn outbox(&self, rows: usize) -> String {
        let row = format!("({NOW}, #, #, #, #, #, #, #, #, #, #, #, #)");
        format!("{}{}", self.into_outbox, placeholders(&row, '?', rows))
    }

    fn schedule(&self, rows: usize) -> String {
        let row = format!("({NOW} + #, #, #, #, #, #, #, #, #, #, #, #, #)");
        format!("{}{}", self.into_schedule, placeholders(&row, '?', rows))
    }
}

pub(super) fn statements<'a>(shared: &Shared<Sqlite>, messages: Messages<'a>) -> Vec<Statement<'a>> {
    let sql = &shared.sql.stage;
    let mut statements = Vec::new();
    let delayed: Vec<_> = messages.iter().filter(|message| message.delay.is_some()).collect();
    for messages in delayed.chunks(MOST) {
        let values = messages.iter().flat_map(|staged| {
            let delay = StageValue::BigInt(millis(staged.delay.unwrap_or_default()));
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
        let values = messages.iter().flat_map(|staged| values(staged)).collect();
        statements.push(Statement { sql: text.into(), values });
    }
    statements
}

/// The partition and the columns of [`MESSAGE`].
fn values(staged: &StagedMessage) -> [StageValue<'_>; 12] {
    let message = &staged.message;
    let text = |text| StageValue::Text(Some(Cow::Borrowed(text)));
    let perhaps = |text: Option<_>| StageValue::Text(text.map(Cow::Borrowed));
    let id = |id: Option<Uuid>| StageValue::Text(id.map(|id| Cow::Owned(id.to_string())));
    [
        StageValue::SmallInt(partition_of(message).cast_signed()),
        id(Some(message.id)),
        text(message.message_type.as_str()),
        text(&message.name),
        perhaps(message.topic.as_deref()),
        perhaps(message.key.as_deref()),
        id(message.correlation_id),
        id(message.causation_id),
        perhaps(message.traceparent.as_deref()),
        text(&message.content_type),
        StageValue::Text(Some(headers_text(&message.headers))),
        StageValue::Bytes(&message.body),
    ]
}

pub(super) fn arguments(values: &[StageValue<'_>]) -> Result<SqliteArguments, BoxError> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        // The driver takes no borrowed values.
        match value {
            StageValue::SmallInt(value) => arguments.add(*value),
            StageValue::BigInt(value) => arguments.add(*value),
            StageValue::Text(value) => arguments.add(value.as_deref().map(str::to_owned)),
            StageValue::Uuid(value) => arguments.add(value.map(|id| id.to_string())),
            StageValue::Bytes(value) => arguments.add(value.to_vec()),
        }?;
    }
    Ok(arguments)
}

#[async_trait]
impl<Tag: 'static> StagesRows for Transaction<Sqlite, Tag> {
    async fn execute(&self, sql: &str, values: &[StageValue<'_>]) -> Result<(), BoxError> {
        // Texts of other lengths would push the program's own statements out of the connection's cache.
        self.stage(sql, arguments(values)?, values.len() <= Sql::KEPT * 12).await
    }
}
