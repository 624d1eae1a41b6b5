use std::sync::Arc;

use diator::BoxError;
use diator::outbox::{Settlement, Verdict};
use sqlx::Sqlite;

use super::NOW;
use super::turn::{commit, turn};
use crate::store::{MESSAGE, Prefix, Shared, sql};

const FENCE: &str =
    "from_epoch <= ?3 AND EXISTS (SELECT 1 FROM {p}outbox_lease l WHERE l.partition = ?2 AND l.epoch = ?3)";

#[derive(Clone, Debug)]
pub(super) struct Sql {
    sent: Arc<str>,
    refused: Arc<str>,
    bury: Arc<str>,
    delete: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        Self {
            sent: prefix.fill(&format!(
                "UPDATE {{p}}outbox SET status = 1, sent_at = {NOW}
                FROM json_each(?1) s WHERE seq = s.value ->> 0 AND status = 0 AND from_epoch <= s.value ->> 1"
            )),
            refused: prefix.fill(&format!(
                "UPDATE {{p}}outbox SET attempts = max(attempts, ?4) WHERE seq = ?1 AND status = 0 AND {FENCE}"
            )),
            bury: prefix.fill(&format!(
                "INSERT INTO {{p}}dead_letter (seq, partition, attempts, reason, parks_key, at, {MESSAGE})
                SELECT seq, partition, attempts + 1, ?4, ?5, {NOW}, {MESSAGE} FROM {{p}}outbox
                WHERE seq = ?1 AND status = 0 AND {FENCE}"
            )),
            delete: prefix.fill(&format!("DELETE FROM {{p}}outbox WHERE seq = ?1 AND status = 0 AND {FENCE}")),
        }
    }
}

pub(super) async fn settle_rows(shared: &Shared<Sqlite>, settlements: &[Settlement]) -> Result<(), BoxError> {
    let texts = &shared.sql.settle;
    let sent = settlements.iter().filter(|settlement| matches!(settlement.verdict, Verdict::Sent));
    let sent: Vec<_> = sent.map(|settlement| (settlement.place.seq, settlement.epoch)).collect();
    let turn = turn(shared);
    let mut connection = turn.connection().await?;
    if !sent.is_empty() {
        let query = sqlx::query(sql(&texts.sent)).bind(serde_json::to_string(&sent)?);
        query.execute(&mut *connection).await?;
    }
    for settlement in settlements {
        let fenced = |text| {
            let query = sqlx::query(sql(text)).bind(settlement.place.seq).bind(settlement.place.partition);
            query.bind(settlement.epoch)
        };
        match &settlement.verdict {
            Verdict::Refused { attempts } => {
                fenced(&texts.refused).bind(*attempts).execute(&mut *connection).await?;
            }
            Verdict::Dead { reason, parks_key } => {
                fenced(&texts.bury).bind(reason).bind(*parks_key).execute(&mut *connection).await?;
                fenced(&texts.delete).execute(&mut *connection).await?;
            }
            _ => {}
        }
    }
    commit(&turn, connection).await
}
