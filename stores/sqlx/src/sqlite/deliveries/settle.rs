use std::sync::Arc;

use diator::BoxError;
use diator::deliveries::{DeliverySettlement, DeliveryVerdict};
use diator::subscription::Settled;
use sqlx::{Sqlite, SqliteConnection};

use crate::sqlite::turn::{commit, turn};
use crate::sqlite::{NOW, millis};
use crate::store::{Prefix, SqlxDeliveries, sql};

#[derive(Clone, Debug)]
pub(super) struct Sql {
    mine: Arc<str>,
    gone: Arc<str>,
    later: Arc<str>,
    note: Arc<str>,
    dead: Arc<str>,
    promote: Arc<str>,
}

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        Self {
            mine: prefix.fill(&format!(
                "SELECT endpoint, topic, key, holds_key FROM {{p}}delivery WHERE number = ?1 AND lease = ?2 AND leased AND due > {NOW}"
            )),
            gone: prefix.fill("DELETE FROM {p}delivery WHERE number = ?1"),
            later: prefix.fill(&format!(
                "UPDATE {{p}}delivery SET leased = 0, due = {NOW} + ?2, failures = coalesce(?3, failures), kind = coalesce(?4, kind),
                    reason = coalesce(?5, reason) WHERE number = ?1"
            )),
            note: prefix.fill(&format!(
                "INSERT INTO {{p}}inbox (message, endpoint, handler, generation, until)
                SELECT message, endpoint, handler, generation, {NOW} + ?2 FROM {{p}}delivery WHERE number = ?1 ON CONFLICT DO NOTHING"
            )),
            dead: prefix.fill(&format!(
                "UPDATE {{p}}delivery SET leased = 0, dead_at = {NOW}, kind = ?2, reason = ?3, failures = ?4, holds_key = holds_key AND ?5
                WHERE number = ?1"
            )),
            promote: prefix.fill(PROMOTE),
        }
    }

    #[cfg(test)]
    pub(super) fn texts(&self) -> [Arc<str>; 6] {
        [
            self.mine.clone(),
            self.gone.clone(),
            self.later.clone(),
            self.note.clone(),
            self.dead.clone(),
            self.promote.clone(),
        ]
    }
}

/// Notes of a key which row is the first by now.
const PROMOTE: &str = "UPDATE {p}delivery SET is_first = 1 WHERE NOT is_first AND number = (
    SELECT min(number) FROM {p}delivery WHERE holds_key AND endpoint = ?1 AND topic = ?2 AND key = ?3
)";

/// The key that a row holds, with its endpoint and topic; null where it holds none.
type Queue = (String, String, Option<String>, bool);

pub(super) async fn settle(
    store: &SqlxDeliveries<Sqlite>,
    settlements: &[DeliverySettlement],
) -> Result<Vec<Settled>, BoxError> {
    let texts = &store.shared.sql.deliveries.settle;
    let turn = turn(&store.shared);
    let mut connection = turn.connection().await?;
    let (mut settled, mut is_freed) = (Vec::new(), false);
    for DeliverySettlement { lease, verdict } in settlements {
        let mine = sqlx::query_as(sql(&texts.mine)).bind(lease.id).bind(lease.lease);
        let mine: Option<Queue> = mine.fetch_optional(&mut *connection).await?;
        let Some(queue) = mine else {
            settled.push(Settled::LockLost);
            continue;
        };
        settled.push(Settled::Done);
        let of_row = |text| sqlx::query(sql(text)).bind(lease.id);
        match verdict {
            DeliveryVerdict::Later { after, failures, last_failure: failure } => {
                let later = of_row(&texts.later).bind(millis(*after)).bind(*failures);
                let later = later.bind(failure.as_ref().map(|failure| &*failure.kind));
                later.bind(failure.as_ref().map(|failure| &*failure.text)).execute(&mut *connection).await?;
                continue;
            }
            DeliveryVerdict::Released => {
                let later = of_row(&texts.later).bind(0).bind(None::<u32>).bind(None::<&str>).bind(None::<&str>);
                later.execute(&mut *connection).await?;
                continue;
            }
            DeliveryVerdict::Dead { reason, failures, holds_key } => {
                let noted = of_row(&texts.note).bind(millis(store.kept)).execute(&mut *connection).await?;
                if noted.rows_affected() > 0 {
                    let dead = of_row(&texts.dead).bind(&*reason.kind).bind(&*reason.text).bind(*failures);
                    dead.bind(*holds_key).execute(&mut *connection).await?;
                } else {
                    // Somebody has handled it.
                    of_row(&texts.gone).execute(&mut *connection).await?;
                }
            }
            _ => {
                of_row(&texts.gone).execute(&mut *connection).await?;
            }
        }
        is_freed |= promote(&texts.promote, &queue, &mut connection).await?;
    }
    commit(&turn, connection).await?;
    if is_freed {
        store.shared.wake.delivered();
    }
    Ok(settled)
}

async fn promote(text: &Arc<str>, queue: &Queue, connection: &mut SqliteConnection) -> Result<bool, BoxError> {
    let (endpoint, topic, key, true) = queue else { return Ok(false) };
    let query = sqlx::query(sql(text)).bind(endpoint).bind(topic).bind(key.as_deref());
    Ok(query.execute(connection).await?.rows_affected() > 0)
}
