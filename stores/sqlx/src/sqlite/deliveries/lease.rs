use std::sync::Arc;
use std::time::Duration;

use diator::BoxError;
use diator::deliveries::{DeliveryLease, LeasedDelivery};
use diator::subscription::Settled;
use sqlx::{Row, Sqlite};

use super::row::{delivery, time};
use crate::sqlite::turn::{commit, turn};
use crate::sqlite::{NOW, millis};
use crate::store::{DELIVERY, Prefix, Shared, sql};

#[derive(Clone, Debug)]
pub(super) struct Sql {
    look: Arc<str>,
    lease: Arc<str>,
    extend: Arc<str>,
    next_due: Arc<str>,
}

/// Those of an endpoint that are the first of their key.
const FREE: &str = "FROM {p}delivery WHERE endpoint = ?1 AND dead_at IS NULL AND is_first";

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        Self {
            look: prefix.fill(&format!(
                "SELECT number, lease, lost + leased, holds_key, {DELIVERY} {FREE} AND due <= {NOW} ORDER BY due, number LIMIT ?2"
            )),
            // A lease that has ended by itself is due, as its row is.
            lease: prefix.fill(&format!(
                "UPDATE {{p}}delivery SET lost = lost + leased, leased = 1, lease = lease + 1, due = {NOW} + ?2 WHERE number = ?1"
            )),
            extend: prefix.fill(&format!(
                "UPDATE {{p}}delivery SET due = {NOW} + ?3 WHERE number = ?1 AND lease = ?2 AND leased AND due > {NOW}"
            )),
            next_due: prefix.fill(&format!("SELECT min(due) - {NOW} {FREE}")),
        }
    }

    #[cfg(test)]
    pub(super) fn texts(&self) -> [Arc<str>; 4] {
        [self.look.clone(), self.lease.clone(), self.extend.clone(), self.next_due.clone()]
    }
}

pub(super) async fn lease(
    shared: &Shared<Sqlite>,
    endpoint: &str,
    most: u32,
    period: Duration,
) -> Result<Vec<LeasedDelivery>, BoxError> {
    let texts = &shared.sql.deliveries.lease;
    // A read needs no lock.
    let look = sqlx::query(sql(&texts.look)).bind(endpoint).bind(most.min(1));
    if look.fetch_optional(&shared.pool).await?.is_none() {
        return Ok(Vec::new());
    }
    let turn = turn(shared);
    let mut connection = turn.connection().await?;
    let look = sqlx::query(sql(&texts.look)).bind(endpoint).bind(most);
    let mut leased = Vec::new();
    for row in look.fetch_all(&mut *connection).await? {
        let number: i64 = row.try_get(0)?;
        let lease = sqlx::query(sql(&texts.lease)).bind(number).bind(millis(period));
        lease.execute(&mut *connection).await?;
        let lease = row.try_get::<i64, _>(1)? + 1;
        leased.extend(delivery(&row, number, row.try_get(3)?, 4).leased(lease, row.try_get(2)?));
    }
    commit(&turn, connection).await?;
    Ok(leased)
}

pub(super) async fn extend(
    shared: &Shared<Sqlite>,
    leases: &[DeliveryLease],
    period: Duration,
) -> Result<Vec<Settled>, BoxError> {
    let turn = turn(shared);
    let mut connection = turn.connection().await?;
    let mut extended = Vec::new();
    for lease in leases {
        let query = sqlx::query(sql(&shared.sql.deliveries.lease.extend)).bind(lease.id).bind(lease.lease);
        let rows = query.bind(millis(period)).execute(&mut *connection).await?.rows_affected();
        extended.push(if rows > 0 { Settled::Done } else { Settled::LockLost });
    }
    commit(&turn, connection).await?;
    Ok(extended)
}

pub(super) async fn next_due(shared: &Shared<Sqlite>, endpoint: &str) -> Result<Option<Duration>, BoxError> {
    let query = sqlx::query(sql(&shared.sql.deliveries.lease.next_due)).bind(endpoint);
    let next: Option<i64> = query.fetch_one(&shared.pool).await?.try_get(0)?;
    Ok(next.map(time))
}
