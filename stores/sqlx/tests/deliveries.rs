#![cfg(all(feature = "postgres", feature = "sqlite"))]
//! What endpoints keep: what the suite of all stores does not test.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use diator::container::CommitOutcome;
use diator::deliveries::{
    AttemptLog, Attempts, DeadReason, DeliveryFilter, DeliverySettlement, DeliveryState, DeliveryStore,
    DeliveryVerdict, NewDelivery, NewState,
};
use diator::inbox::{Entry, Inbox, Seen, Turn};
use diator::outbox::{OutboxStore, RelayId};
use diator::subscription::Settled;
use diator_sqlx::{Engine, EntersRows, SqlxAttemptLog, SqlxDeliveries, SqlxStore, Transaction, sqlite_options};
use diator_testkit::{Postgres, within_patience};
use sqlx::{AssertSqlSafe, PgPool, Sqlite, SqlitePool, raw_sql};
use support::Directory;
use support::unit::Unit;
use tokio::time::sleep;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(3_600);
const ENDPOINT: &str = "billing";

fn delivery() -> NewDelivery {
    NewDelivery::new(ENDPOINT, "billing.charge", Uuid::now_v7(), "orders", *b"{}")
}

fn keyed(key: &str) -> NewDelivery {
    let mut delivery = delivery();
    (delivery.key, delivery.holds_key) = (Some(key.into()), true);
    delivery
}

fn dead(mut delivery: NewDelivery) -> NewDelivery {
    delivery.state = NewState::Dead(reason());
    delivery
}

fn reason() -> DeadReason {
    DeadReason::new("Handler", "declined")
}

fn entry(delivery: &NewDelivery) -> Entry<'_> {
    Entry::new(&delivery.endpoint, &delivery.handler, delivery.message)
}

async fn on_postgres(postgres: &Postgres) -> SqlxStore<sqlx::Postgres> {
    let store = SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap());
    store.apply_schema().await.unwrap();
    store
}

async fn on_sqlite(directory: &Directory) -> (SqlxStore<Sqlite>, SqlitePool) {
    let pool = SqlitePool::connect_lazy_with(sqlite_options().filename(directory.0.join("a.sqlite")));
    let store = SqlxStore::new(pool.clone());
    store.apply_schema().await.unwrap();
    (store, pool)
}

/// Texts that a database may not like come back as they were, and hold their key.
async fn odd<DB: Engine>(store: &SqlxStore<DB>)
where
    SqlxDeliveries<DB>: DeliveryStore,
    Transaction<DB>: EntersRows,
{
    let deliveries = store.deliveries();
    for key in ["", "\0", "a\0b", "\u{1a}0", "größe ' \" \\ ?1 $1 {p}", &"k".repeat(100_000)] {
        let mut new = keyed(key);
        new.topic = format!("topic {}", key.chars().take(9).collect::<String>()).into();
        (new.name, new.position) = (Some(key.into()), Some(key.into()));
        new.content_type = Some(key.into());
        new.headers = vec![(key.into(), "one".into()), (key.into(), "\0".into()), ("".into(), key.into())];
        new.body = vec![0, 255, 0].into();
        (new.failures, new.generation) = (u32::MAX, u32::MAX);
        deliveries.put(std::slice::from_ref(&new)).await.unwrap();
        let kept = deliveries.list(&DeliveryFilter::default()).await.unwrap();
        assert_eq!((kept.len(), &kept[0].unreadable), (1, &None));
        let mut found = deliveries.lease(ENDPOINT, 9, LONG).await.unwrap().pop().unwrap();
        found.delivery.state = new.state.clone();
        assert_eq!(found.delivery, new);
        let unit = Unit::begin(store).await;
        let other = Entry::new(ENDPOINT, &new.handler, Uuid::nil()).with_turn(Turn { topic: &new.topic, key });
        assert_eq!(unit.enter(&store.inbox(), &other).await.unwrap(), Seen::Behind, "{key:.20?}");
        let free = other.with_turn(Turn { topic: "topic", key });
        assert_eq!(unit.enter(&store.inbox(), &free).await.unwrap(), Seen::First, "{key:.20?}");
        unit.roll_back().await;
        let text = "a\0b".repeat(1_000);
        let verdict =
            DeliveryVerdict::Dead { reason: DeadReason::new("a\0b", &*text), failures: u32::MAX, holds_key: true };
        let settlement = DeliverySettlement { lease: found.lease, verdict };
        assert_eq!(deliveries.settle(&[settlement]).await.unwrap(), [Settled::Done]);
        let mut filter = DeliveryFilter::dead();
        (filter.kind, filter.topic) = (Some("a\0b".into()), Some(new.topic.to_string()));
        filter.reason = Some("ba\0b".into());
        assert_eq!(deliveries.replay(&filter).await.unwrap(), 1);
        assert_eq!(deliveries.discard(&DeliveryFilter::default()).await.unwrap(), 1);
    }
}

/// What somebody has written by hand is shown, hides nothing, and is never handed to an endpoint.
async fn unreadable<DB: Engine>(store: &SqlxStore<DB>, sql: impl AsyncFn(String), damages: &[&str])
where
    SqlxDeliveries<DB>: DeliveryStore,
{
    let deliveries = store.deliveries();
    for damage in damages {
        deliveries.put(&[delivery(), delivery(), dead(delivery())]).await.unwrap();
        let numbers: Vec<_> =
            deliveries.list(&DeliveryFilter::default()).await.unwrap().iter().map(|kept| kept.id).collect();
        sql(format!("UPDATE diator_delivery SET {damage} WHERE number = {}", numbers[0])).await;
        let kept = deliveries.list(&DeliveryFilter::default()).await.unwrap();
        assert_eq!(kept.iter().map(|kept| kept.id).collect::<Vec<_>>(), numbers, "{damage}");
        let problems: Vec<_> = kept.iter().map(|kept| kept.unreadable.is_some()).collect();
        let is_odd_time = damage.contains("due") || damage.contains("dead_at");
        assert_eq!(problems, [!is_odd_time, false, false], "{damage}: {:?}", kept[0].unreadable);
        assert_eq!(deliveries.lease(ENDPOINT, 9, LONG).await.unwrap().len(), 1, "{damage}");
        deliveries.status().await.unwrap();
        deliveries.next_due(ENDPOINT).await.unwrap();
        sql("UPDATE diator_delivery SET leased = (1 = 0)".into()).await;
        assert_eq!(deliveries.discard(&DeliveryFilter::default()).await.unwrap(), 3, "{damage}");
    }
}

/// A message that was handled is no dead letter, whoever was later.
async fn handled_elsewhere<DB: Engine>(store: &SqlxStore<DB>)
where
    SqlxDeliveries<DB>: DeliveryStore,
    Transaction<DB>: EntersRows,
{
    let deliveries = store.deliveries();
    let (one, mut filter) = (keyed("a"), DeliveryFilter::default());
    deliveries.put(&[one.clone(), keyed("a")]).await.unwrap();
    let leased = deliveries.lease(ENDPOINT, 9, LONG).await.unwrap().pop().unwrap();
    assert_eq!(leased.delivery.message, one.message);
    Unit::handle(store, &entry(&one)).await;
    let verdict = DeliveryVerdict::Dead { reason: reason(), failures: 1, holds_key: true };
    let settlement = DeliverySettlement { lease: leased.lease, verdict };
    let twice = [settlement.clone(), settlement];
    assert_eq!(deliveries.settle(&twice).await.unwrap(), [Settled::Done, Settled::LockLost]);
    filter.dead = Some(true);
    assert_eq!(deliveries.list(&filter).await.unwrap(), []);
    let next = deliveries.lease(ENDPOINT, 9, LONG).await.unwrap();
    assert_eq!(next.len(), 1, "the next one of the key");
    // The same, of one that is put as a dead letter.
    let other = delivery();
    Unit::handle(store, &entry(&other)).await;
    deliveries.put(&[dead(other)]).await.unwrap();
    assert_eq!(deliveries.list(&filter).await.unwrap(), []);
}

/// Old attempts go, and with each call no more than the limit.
async fn pruned<DB: Engine>(store: &SqlxStore<DB>, sql: impl AsyncFn(String), old: &str)
where
    SqlxStore<DB>: OutboxStore,
    SqlxAttemptLog<DB>: AttemptLog,
{
    let log = store.attempt_log();
    let ids: Vec<_> = (0..7).map(Uuid::from_u128).collect();
    log.begin(ENDPOINT, &ids).await.unwrap();
    sql(format!("UPDATE diator_attempt SET at = {old}")).await;
    let twice = [ids[0], Uuid::max(), ids[0], ids[0]];
    let known: Vec<_> = log.begin(ENDPOINT, &twice).await.unwrap().iter().map(|known| known.unended).collect();
    assert_eq!(known, [1, 0, 2, 3]);
    let relay = RelayId(Uuid::now_v7());
    assert_eq!(store.prune_inbox(2).await.unwrap(), 2);
    let prune = async |relay| OutboxStore::prune(store, relay, LONG, 3).await.unwrap();
    assert_eq!([prune(relay).await, prune(RelayId(Uuid::nil())).await], [3, 0], "only the cleaner");
    assert_eq!([prune(relay).await, prune(relay).await], [1, 0]);
    assert_eq!(log.begin(ENDPOINT, &[ids[0]]).await.unwrap(), [Attempts::unended(4)]);
    assert_eq!(log.begin(ENDPOINT, &[ids[1]]).await.unwrap(), [Attempts::NONE]);
}

#[tokio::test]
async fn on_postgresql() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = on_postgres(&postgres).await;
        let sql = async |text: String| drop(postgres.psql(&text));
        odd(&store).await;
        let damages = [
            "headers = 'x'",
            "generation = -1",
            "failures = 4294967296",
            "due = 'infinity'",
            "dead_at = '-infinity'",
            "body = '', headers = ''",
        ];
        unreadable(&store, sql, &damages).await;
        handled_elsewhere(&store).await;
        pruned(&store, sql, "now() - interval '8 days'").await;
    })
    .await;
}

#[tokio::test]
async fn on_sqlite_too() {
    within_patience(async {
        let directory = Directory::new();
        let (store, pool) = on_sqlite(&directory).await;
        let sql = async |text: String| {
            raw_sql(AssertSqlSafe(text)).execute(&pool).await.unwrap();
        };
        odd(&store).await;
        let damages = [
            "headers = 'x'",
            "generation = 'x'",
            "failures = -1",
            "message = 'x'",
            "topic = x'ff'",
            "body = 5, headers = ''",
            "dead_at = 'x'",
        ];
        unreadable(&store, sql, &damages).await;
        handled_elsewhere(&store).await;
        pruned(&store, sql, "(julianday('now') - 2440595.5) * 86400000").await;
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_waits_for_whoever_handles_its_message() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = on_postgres(&postgres).await;
        let (deliveries, waiting, other) = (store.deliveries(), keyed("a"), delivery());
        deliveries.put(std::slice::from_ref(&waiting)).await.unwrap();
        let leased = deliveries.lease(ENDPOINT, 9, LONG).await.unwrap().pop().unwrap();
        let (one, two) = (Unit::begin(&store).await, Unit::begin(&store).await);
        assert_eq!(one.enter(&store.inbox(), &entry(&waiting)).await.unwrap(), Seen::First);
        assert_eq!(two.enter(&store.inbox(), &entry(&other)).await.unwrap(), Seen::First);
        let settle = DeliverySettlement {
            lease: leased.lease,
            verdict: DeliveryVerdict::Dead { reason: reason(), failures: 1, holds_key: false },
        };
        for _ in 0..2 {
            let error = deliveries.settle(std::slice::from_ref(&settle)).await.unwrap_err().to_string();
            assert!(error.contains("another transaction handles"), "{error}");
            deliveries.put(&[dead(other.clone())]).await.unwrap_err();
        }
        one.roll_back().await;
        two.roll_back().await;
        assert_eq!(deliveries.settle(&[settle]).await.unwrap(), [Settled::Done]);
        deliveries.put(&[dead(other)]).await.unwrap();
        assert_eq!(deliveries.list(&DeliveryFilter::dead()).await.unwrap().len(), 2);
    })
    .await;
}

/// Processes put, handle and discard at once, whatever the isolation is by default: no key stays behind, and each comes in order.
async fn crowd<DB: Engine>(stores: Vec<SqlxStore<DB>>, firsts: impl AsyncFn(&str) -> i64)
where
    SqlxDeliveries<DB>: DeliveryStore,
{
    const KEYS: usize = 3;
    const EACH: u32 = 40;
    let handled: Arc<std::sync::Mutex<BTreeMap<Box<str>, Vec<u32>>>> = Arc::default();
    let mut tasks = tokio::task::JoinSet::new();
    for key in 0..KEYS {
        let deliveries = stores[key % stores.len()].deliveries();
        tasks.spawn(async move {
            for number in 0..EACH {
                let mut new = keyed(&key.to_string());
                new.failures = number;
                if number % 10 == 7 {
                    new = dead(new);
                }
                let plain = delivery();
                let new = [new, plain];
                // A default isolation that is too strict is an error that is tried again.
                while deliveries.put(&new).await.is_err() {}
            }
        });
    }
    for store in &stores {
        let (deliveries, handled) = (store.deliveries(), handled.clone());
        tasks.spawn(async move {
            let mut idle = 0;
            while idle < 100 {
                let Ok(leased) = deliveries.lease(ENDPOINT, 3, LONG).await else { continue };
                idle = if leased.is_empty() { idle + 1 } else { 0 };
                for leased in leased {
                    if let Some(key) = leased.delivery.key.clone() {
                        handled.lock().unwrap().entry(key).or_default().push(leased.delivery.failures);
                    }
                    let settlement = DeliverySettlement { lease: leased.lease, verdict: DeliveryVerdict::Handled };
                    while deliveries.settle(std::slice::from_ref(&settlement)).await.is_err() {}
                }
                let _ = deliveries.discard(&DeliveryFilter::dead()).await;
                sleep(Duration::from_millis(2)).await;
            }
        });
    }
    tasks.join_all().await;
    let handled = handled.lock().unwrap().clone();
    let left = stores[0].deliveries().list(&DeliveryFilter::default()).await.unwrap();
    assert_eq!(left, [], "first: {}", firsts("SELECT count(*) FROM diator_delivery WHERE is_first").await);
    let expected: Vec<_> = (0..EACH).filter(|number| number % 10 != 7).collect();
    assert_eq!(handled.len(), KEYS);
    for (key, numbers) in handled {
        assert_eq!(numbers, expected, "key {key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_stays_behind_on_postgresql() {
    within_patience(async {
        for isolation in ["read committed", "repeatable read", "serializable"] {
            let postgres = Postgres::start(&[&format!("default_transaction_isolation={isolation}")]);
            let stores = [on_postgres(&postgres).await, on_postgres(&postgres).await, on_postgres(&postgres).await];
            crowd(stores.into(), async |sql| postgres.psql(sql).parse().unwrap()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_put_behind_a_row_that_goes_meanwhile_comes_first() {
    within_patience(async {
        let postgres = Postgres::start(&["default_transaction_isolation=repeatable read"]);
        let (here, there) = (on_postgres(&postgres).await.deliveries(), on_postgres(&postgres).await.deliveries());
        here.put(&[keyed("a")]).await.unwrap();
        let leased = here.lease(ENDPOINT, 1, LONG).await.unwrap().pop().unwrap();
        // Whoever inserts then stands still before its commit, for as long as this connection wants.
        let wait = "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;
            CREATE TRIGGER wait AFTER INSERT ON diator_delivery EXECUTE FUNCTION wait()";
        postgres.psql(wait);
        let pool = PgPool::connect(&postgres.url()).await.unwrap();
        let mut gate = pool.acquire().await.unwrap();
        raw_sql("SELECT pg_advisory_lock(42)").execute(&mut *gate).await.unwrap();
        let behind = keyed("a");
        let put = tokio::spawn({
            let behind = behind.clone();
            async move { there.put(&[behind]).await.unwrap() }
        });
        let waiting = async |count: &str| {
            while postgres.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != count {
                sleep(Duration::from_millis(10)).await;
            }
        };
        waiting("1").await;
        let settlement = DeliverySettlement { lease: leased.lease, verdict: DeliveryVerdict::Handled };
        let settle = tokio::spawn(async move { (here.settle(&[settlement]).await.unwrap(), here) });
        waiting("2").await;
        raw_sql("SELECT pg_advisory_unlock(42)").execute(&mut *gate).await.unwrap();
        put.await.unwrap();
        let (settled, here) = settle.await.unwrap();
        assert_eq!(settled, [Settled::Done]);
        assert_eq!(here.lease(ENDPOINT, 1, LONG).await.unwrap()[0].delivery.message, behind.message);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_stays_behind_on_sqlite() {
    within_patience(async {
        let directory = Directory::new();
        let ((one, pool), (two, _)) = (on_sqlite(&directory).await, on_sqlite(&directory).await);
        crowd(vec![one, two], async |sql| {
            sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&pool).await.unwrap()
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_entry_that_somebody_else_holds_is_busy_also_behind_its_key() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let (here, there) = (on_postgres(&postgres).await, on_postgres(&postgres).await);
        let message = delivery();
        let entry = entry(&message).with_turn(Turn { topic: "orders", key: "a" });
        let first = Unit::begin(&here).await;
        assert_eq!(first.enter(&here.inbox(), &entry).await.unwrap(), Seen::First);
        there.deliveries().put(&[keyed("a")]).await.unwrap();
        let seen = async || {
            let unit = Unit::begin(&there).await;
            let seen = unit.enter(&there.inbox(), &entry).await.unwrap();
            unit.roll_back().await;
            seen
        };
        assert_eq!(seen().await, Seen::Busy);
        first.commit().await.unwrap();
        assert_eq!(seen().await, Seen::Before);
        let other = entry.with_generation(1);
        let unit = Unit::begin(&there).await;
        assert_eq!(unit.enter(&there.inbox(), &other).await.unwrap(), Seen::Behind);
        unit.roll_back().await;
    })
    .await;
}

#[tokio::test]
async fn a_process_that_stands_still_keeps_its_message_no_longer_than_its_limit() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let (here, there) = (on_postgres(&postgres).await, on_postgres(&postgres).await);
        let (message, limit) = (delivery(), Duration::from_millis(200));
        let limited = entry(&message).with_limit(limit);
        let stopped = Unit::begin(&here).await;
        assert_eq!(stopped.enter(&here.inbox(), &limited).await.unwrap(), Seen::First);
        // To the server a process that was stopped is one that says nothing.
        let began = std::time::Instant::now();
        loop {
            let unit = Unit::begin(&there).await;
            match unit.enter(&there.inbox(), &limited).await.unwrap() {
                Seen::First => break unit.commit().await.unwrap(),
                seen => assert_eq!(seen, Seen::Busy),
            }
            unit.roll_back().await;
            assert!(began.elapsed() < Duration::from_secs(20));
            sleep(Duration::from_millis(20)).await;
        }
        assert!(began.elapsed() > limit, "not before its limit");
        let error = stopped.commit().await.unwrap_err();
        assert_eq!(error.outcome(), CommitOutcome::RolledBack, "{error:?}");
        // The setting ends with the transaction; one that is shorter stays.
        let show = async |store: &SqlxStore<sqlx::Postgres>, limit: Option<Duration>| {
            let (unit, message) = (Unit::begin(store).await, delivery());
            let mut entry = entry(&message);
            entry.limit = limit;
            assert_eq!(unit.enter(&store.inbox(), &entry).await.unwrap(), Seen::First);
            let shown = unit.scalar("SHOW idle_in_transaction_session_timeout").await;
            unit.commit().await.unwrap();
            shown
        };
        let secs = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(show(&there, secs(299)).await, "5min");
        assert_eq!(show(&there, None).await, "0");
        assert_eq!(show(&there, Some(Duration::MAX)).await, "2147483647ms");
        postgres.psql("ALTER DATABASE postgres SET idle_in_transaction_session_timeout = '90s'");
        let there = on_postgres(&postgres).await;
        assert_eq!(show(&there, secs(299)).await, "90s");
        assert_eq!(show(&there, secs(59)).await, "1min");
        let (mut row, topic) = (keyed("a"), "orders");
        row.generation = 3;
        there.deliveries().put(&[row]).await.unwrap();
        let (unit, other) = (Unit::begin(&there).await, delivery());
        let both = entry(&other).with_limit(LONG).with_turn(Turn { topic, key: "a" });
        assert_eq!(unit.enter(&there.inbox(), &both).await.unwrap(), Seen::Behind);
        let both = both.with_turn(Turn { topic, key: "b" });
        assert_eq!(unit.enter(&there.inbox(), &both).await.unwrap(), Seen::First);
        unit.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn whoever_waits_hears_of_every_store_of_the_process() {
    within_patience(async {
        let directory = Directory::new();
        let (store, _) = on_sqlite(&directory).await;
        let (one, other) = (Arc::new(store.deliveries()), store.inbox().deliveries().unwrap());
        let waits = [one.clone(), one.clone()].map(|one| tokio::spawn(async move { one.woken().await }));
        sleep(Duration::from_millis(20)).await;
        other.put(&[dead(delivery())]).await.unwrap();
        for woken in waits {
            woken.await.unwrap();
        }
        assert!(tokio::time::timeout(Duration::from_millis(20), one.woken()).await.is_err());
        one.replay(&DeliveryFilter::dead()).await.unwrap();
        other.woken().await;
        let kept = other.list(&DeliveryFilter::default()).await.unwrap();
        assert!(
            matches!(kept[0].state, DeliveryState::Waiting { leased: false, .. }) && kept[0].delivery.generation == 1
        );
    })
    .await;
}
