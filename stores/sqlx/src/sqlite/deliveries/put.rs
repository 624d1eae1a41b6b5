use std::sync::Arc;

use diator::BoxError;
use diator::deliveries::NewDelivery;
use sqlx::Sqlite;

use crate::sqlite::turn::{commit, turn};
use crate::sqlite::{NOW, millis};
use crate::store::{DELIVERY, Prefix, SqlxDeliveries, after_of, headers_of, holds_key, is_dead, reason_of, sql};

#[derive(Clone, Debug)]
pub(super) struct Sql {
    put: Arc<str>,
    note: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        Self {
            put: prefix.fill(&format!(
                "INSERT INTO {{p}}delivery ({DELIVERY}, holds_key, due, kind, reason, dead_at, is_first)
                SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, {NOW} + ?14, ?15, ?16, CASE WHEN ?17 THEN {NOW} END,
                    NOT ?13 OR NOT EXISTS (SELECT 1 FROM {{p}}delivery WHERE holds_key AND endpoint = ?1 AND topic = ?7 AND key = ?9)
                WHERE NOT EXISTS (SELECT 1 FROM {{p}}inbox WHERE message = ?3 AND endpoint = ?1 AND handler = ?2)
                ON CONFLICT (message, endpoint, handler) DO NOTHING"
            )),
            note: prefix.fill(&format!(
                "INSERT INTO {{p}}inbox (endpoint, handler, message, generation, until) VALUES (?1, ?2, ?3, ?4, {NOW} + ?5)"
            )),
        }
    }

    #[cfg(test)]
    pub(super) fn texts(&self) -> [Arc<str>; 2] {
        [self.put.clone(), self.note.clone()]
    }
}

pub(super) async fn put(store: &SqlxDeliveries<Sqlite>, deliveries: &[NewDelivery]) -> Result<(), BoxError> {
    let texts = &store.shared.sql.deliveries.put;
    let turn = turn(&store.shared);
    let mut connection = turn.connection().await?;
    for new in deliveries {
        let (message, reason) = (new.message.to_string(), reason_of(new));
        let named = |text| {
            let query = sqlx::query(sql(text)).bind(&*new.endpoint).bind(&*new.handler);
            query.bind(message.clone()).bind(new.generation)
        };
        let query = named(&texts.put).bind(new.failures).bind(new.name.as_deref()).bind(&*new.topic);
        let query = query.bind(new.position.as_deref()).bind(new.key.as_deref()).bind(headers_of(new));
        let query = query.bind(new.content_type.as_deref()).bind(&*new.body).bind(holds_key(new));
        let query = query.bind(millis(after_of(new))).bind(reason.map(|reason| &*reason.kind));
        let query = query.bind(reason.map(|reason| &*reason.text)).bind(is_dead(new));
        let put = query.execute(&mut *connection).await?;
        if put.rows_affected() > 0 && is_dead(new) {
            named(&texts.note).bind(millis(store.kept)).execute(&mut *connection).await?;
        }
    }
    commit(&turn, connection).await
}
