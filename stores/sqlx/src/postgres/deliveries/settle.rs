use std::collections::HashSet;
use std::sync::Arc;

use diator::BoxError;
use diator::deliveries::{DeliverySettlement, DeliveryVerdict};
use diator::subscription::Settled;
use sqlx::{Postgres, Row};

use super::put::{LOCK, locked, without_zero};
use super::turn::{begin, commit, promote, turn};
use crate::postgres::enter::entry_lock;
use crate::store::{Prefix, Shared, SqlxDeliveries, micros, sql};

#[derive(Clone, Debug)]
pub(super) struct Sql {
    plain: Arc<str>,
    lock: Arc<str>,
    locked: Arc<str>,
}

/// The row is locked, and its lease has not ended.
const MINE: &str = "d.number = s.number AND d.lease = s.lease AND d.leased AND d.due > clock_timestamp() ORDER BY d.number FOR UPDATE OF d";

impl Sql {
    pub(super) fn new(prefix: &Prefix) -> Self {
        // What needs no lock. Rows that hold their key stay if they are handled: it says which ones.
        let plain = format!(
            "
WITH mine AS MATERIALIZED (
    SELECT d.number, d.queue, s.is_handled, s.after, s.failures, s.kind, s.reason FROM {{p}}delivery d
    JOIN unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::bigint[], $5::bigint[], $6::text[], $7::text[])
        AS s (number, lease, is_handled, after, failures, kind, reason)
    ON {MINE}
), gone AS (
    DELETE FROM {{p}}delivery d USING mine WHERE d.number = mine.number AND mine.is_handled AND mine.queue IS NULL
), waits AS (
    UPDATE {{p}}delivery d SET leased = false, due = clock_timestamp() + mine.after * interval '1 microsecond',
        failures = coalesce(mine.failures, d.failures), kind = coalesce(mine.kind, d.kind), reason = coalesce(mine.reason, d.reason)
    FROM mine WHERE d.number = mine.number AND NOT mine.is_handled
)
SELECT number, is_handled AND queue IS NOT NULL FROM mine"
        );
        let lock = format!(
            "
WITH settled AS MATERIALIZED (
    SELECT queue, CASE WHEN number = ANY ($2) THEN {} END AS entry FROM {{p}}delivery WHERE number = ANY ($1)
)
{}",
            entry_lock("message", "generation", "endpoint", "handler"),
            LOCK.replace("{queues}", "settled").replace("{entries}", "settled")
        );
        // Under the lock of its entry nobody handles a dead letter. If somebody has done so, it is none.
        let locked = format!(
            "
WITH mine AS MATERIALIZED (
    SELECT d.number, s.is_dead AND NOT EXISTS (
        SELECT FROM {{p}}inbox i
        WHERE i.message = d.message AND i.endpoint = d.endpoint AND i.handler = d.handler AND i.generation = d.generation
    ) AS is_dead, s.failures, s.kind, s.reason, s.holds_key
    FROM {{p}}delivery d
    JOIN unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::bigint[], $5::text[], $6::text[], $7::boolean[])
        AS s (number, lease, is_dead, failures, kind, reason, holds_key)
    ON {MINE}
), gone AS (
    DELETE FROM {{p}}delivery d USING mine WHERE d.number = mine.number AND NOT mine.is_dead
), dead AS (
    UPDATE {{p}}delivery d SET leased = false, dead_at = clock_timestamp(), kind = mine.kind, reason = mine.reason, failures = mine.failures,
        queue = CASE WHEN mine.holds_key THEN d.queue END
    FROM mine WHERE d.number = mine.number AND mine.is_dead
    RETURNING d.message, d.endpoint, d.handler, d.generation
), noted AS (
    INSERT INTO {{p}}inbox (message, endpoint, handler, generation, until)
    SELECT message, endpoint, handler, generation, clock_timestamp() + $8 * interval '1 microsecond' FROM dead
)
SELECT number FROM mine"
        );
        Self { plain: prefix.fill(&plain), lock: prefix.fill(&lock), locked: prefix.fill(&locked) }
    }
}

pub(super) async fn settle(
    store: &SqlxDeliveries<Postgres>,
    settlements: &[DeliverySettlement],
) -> Result<Vec<Settled>, BoxError> {
    // Of several settlements of one lease the first one counts.
    let mut leases = HashSet::new();
    let firsts: Vec<_> = settlements.iter().map(|settlement| leases.insert(settlement.lease)).collect();
    let valid: Vec<_> = settlements.iter().zip(&firsts).filter(|(_, first)| **first).map(|(given, _)| given).collect();
    let (dead, plain): (Vec<_>, Vec<_>) =
        valid.into_iter().partition(|given| matches!(given.verdict, DeliveryVerdict::Dead { .. }));
    let mut done = HashSet::new();
    let mut with_locks = dead;
    if !plain.is_empty() {
        let holds = settle_plain(&store.shared, &plain, &mut done).await?;
        with_locks.extend(plain.into_iter().filter(|given| holds.contains(&given.lease.id)));
    }
    if !with_locks.is_empty() {
        settle_locked(store, &with_locks, &mut done).await?;
    }
    let answer = |(given, is_first): (&DeliverySettlement, bool)| match is_first && done.contains(&given.lease.id) {
        true => Settled::Done,
        false => Settled::LockLost,
    };
    Ok(settlements.iter().zip(firsts).map(answer).collect())
}

/// Returns the rows that were handled and hold their key: they are left.
async fn settle_plain(
    shared: &Shared<Postgres>,
    settlements: &[&DeliverySettlement],
    done: &mut HashSet<i64>,
) -> Result<HashSet<i64>, BoxError> {
    let (mut handled, mut after, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let (mut kinds, mut reasons) = (Vec::new(), Vec::new());
    for settlement in settlements {
        let (is_handled, time, count, failure) = match &settlement.verdict {
            DeliveryVerdict::Later { after, failures, last_failure } => {
                (false, micros(*after), Some(i64::from(*failures)), last_failure.as_ref())
            }
            DeliveryVerdict::Released => (false, 0, None, None),
            _ => (true, 0, None, None),
        };
        kinds.push(failure.map(|failure| without_zero(&failure.kind)));
        reasons.push(failure.map(|failure| without_zero(&failure.text)));
        handled.push(is_handled);
        after.push(time);
        failures.push(count);
    }
    let (numbers, leases) = leases(settlements);
    let query = sqlx::query(sql(&shared.sql.deliveries.settle.plain)).bind(numbers).bind(leases);
    let query = query.bind(handled).bind(after).bind(failures).bind(kinds).bind(reasons);
    let rows = query.fetch_all(&shared.pool).await?;
    let mut holds = HashSet::new();
    for row in rows {
        let number = row.try_get(0)?;
        if row.try_get(1)? {
            holds.insert(number)
        } else {
            done.insert(number)
        };
    }
    Ok(holds)
}

async fn settle_locked(
    store: &SqlxDeliveries<Postgres>,
    settlements: &[&DeliverySettlement],
    done: &mut HashSet<i64>,
) -> Result<(), BoxError> {
    let shared = &store.shared;
    let (mut dead, mut failures, mut holds) = (Vec::new(), Vec::new(), Vec::new());
    let (mut kinds, mut reasons) = (Vec::new(), Vec::new());
    for settlement in settlements {
        let (count, kind, reason, holds_key) = match &settlement.verdict {
            DeliveryVerdict::Dead { reason, failures, holds_key } => {
                (i64::from(*failures), without_zero(&reason.kind), without_zero(&reason.text), *holds_key)
            }
            _ => (0, String::new(), String::new(), false),
        };
        dead.push(matches!(settlement.verdict, DeliveryVerdict::Dead { .. }));
        failures.push(count);
        kinds.push(kind);
        reasons.push(reason);
        holds.push(holds_key);
    }
    let (numbers, leases) = leases(settlements);
    let dead_numbers: Vec<_> =
        numbers.iter().zip(&dead).filter(|(_, dead)| **dead).map(|(number, _)| *number).collect();
    let text = &shared.sql.deliveries.settle;
    let turn = turn(shared);
    begin(&turn).await?;
    let mut connection = turn.connection().await?;
    let query = sqlx::query(sql(&text.lock)).bind(&numbers).bind(dead_numbers);
    let queues = locked(query, &mut connection).await?;
    let query = sqlx::query(sql(&text.locked)).bind(&numbers).bind(leases).bind(dead).bind(failures);
    let query = query.bind(kinds).bind(reasons).bind(holds).bind(micros(store.kept));
    let rows = query.fetch_all(&mut *connection).await?;
    promote(shared, &queues, &mut connection).await?;
    drop(connection);
    commit(&turn).await?;
    for row in rows {
        done.insert(row.try_get(0)?);
    }
    // What they have held back can go on.
    shared.wake.delivered();
    Ok(())
}

fn leases(settlements: &[&DeliverySettlement]) -> (Vec<i64>, Vec<i64>) {
    settlements.iter().map(|settlement| (settlement.lease.id, settlement.lease.lease)).unzip()
}
