//! The tables: what is there, what a program says of it, and how they are made.
#![cfg(all(feature = "postgres", feature = "sqlite"))]

mod support;

use std::time::Duration;

use diator::deliveries::{AttemptLog, DeliveryStore, NewDelivery};
use diator::outbox::{OutboxStore, SchemaState, StagedMessage, StoreSchema};
use diator_sqlx::{Engine, EntersRows, SqlxAttemptLog, SqlxDeliveries, SqlxStore, Transaction, sqlite_options};
use diator_testkit::{Postgres, within_patience};
use sqlx::{PgPool, Sqlite, SqlitePool, raw_sql};
use support::Directory;
use support::outbox::{commit, message};
use uuid::Uuid;

fn on_postgres(postgres: &Postgres) -> SqlxStore<sqlx::Postgres> {
    SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap())
}

fn on_sqlite(directory: &Directory, file: &str) -> (SqlxStore<Sqlite>, SqlitePool) {
    let pool = SqlitePool::connect_lazy_with(sqlite_options().filename(directory.0.join(file)));
    (SqlxStore::new(pool.clone()), pool)
}

/// All versions that a program can find, and what it says of them.
async fn versions<S: OutboxStore + StoreSchema>(store: &S, set: impl AsyncFn(u32, u32)) {
    assert_eq!(store.state().await.unwrap(), SchemaState::Missing);
    let error = store.check().await.unwrap_err().to_string();
    assert!(error.contains("the tables are missing") && error.contains("schema apply"), "{error}");
    store.apply().await.unwrap();
    store.apply().await.unwrap();
    assert_eq!(store.state().await.unwrap(), SchemaState::Current { version: 3 });
    store.check().await.unwrap();
    set(0, 0).await;
    assert_eq!(store.state().await.unwrap(), SchemaState::Outdated { found: 0, needed: 3 });
    let error = store.check().await.unwrap_err().to_string();
    assert!(error.contains("version 0") && error.contains("schema apply"), "{error}");
    set(7, 1).await;
    assert_eq!(store.state().await.unwrap(), SchemaState::Newer { found: 7 });
    store.check().await.unwrap();
    store.apply().await.unwrap();
    assert_eq!(store.state().await.unwrap(), SchemaState::Newer { found: 7 }, "an older program changes nothing");
    set(7, 4).await;
    assert_eq!(store.state().await.unwrap(), SchemaState::TooNew { found: 7, oldest: 4 });
    let error = store.check().await.unwrap_err().to_string();
    assert!(error.contains("newer version of the program") && !error.contains("schema apply"), "{error}");
    let error = store.apply().await.unwrap_err().to_string();
    assert!(error.contains("version 7"), "{error}");
}

#[tokio::test]
async fn every_version_is_told_on_postgresql() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let set = async |version, oldest| {
            postgres.psql(&format!("UPDATE diator_schema SET version = {version}, oldest = {oldest}"));
        };
        versions(&on_postgres(&postgres), set).await;
    })
    .await;
}

#[tokio::test]
async fn an_event_without_tables_names_the_command_on_sqlite() {
    within_patience(async {
        let directory = Directory::new();
        let (store, pool) = on_sqlite(&directory, "new.sqlite");
        let staged = || vec![StagedMessage::new(message(None, "one"))];
        let delayed = || vec![StagedMessage::new(message(None, "one")).after(Duration::from_secs(1))];
        let told = async |messages| {
            let error = commit(&store, messages).await.unwrap_err();
            assert!(format!("{error:?}").contains("`schema apply`"), "it is what `main` shows");
            format!("{error}: {error:?}")
        };
        for text in [told(staged()).await, told(delayed()).await] {
            assert!(text.contains("`schema apply`") && text.contains("no such table"), "{text}");
        }
        store.apply_schema().await.unwrap();
        commit(&store, staged()).await.unwrap();
        raw_sql("ALTER TABLE diator_outbox DROP COLUMN causation_id").execute(&pool).await.unwrap();
        let text = told(staged()).await;
        assert!(text.contains("`schema apply`") && text.contains("causation_id"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn every_version_is_told_on_sqlite() {
    within_patience(async {
        let directory = Directory::new();
        let (store, pool) = on_sqlite(&directory, "a.sqlite");
        let set = async |version: u32, oldest: u32| {
            let update = sqlx::query("UPDATE diator_schema SET version = ?1, oldest = ?2").bind(version).bind(oldest);
            update.execute(&pool).await.unwrap();
        };
        versions(&store, set).await;
    })
    .await;
}

/// Tables of an older version with a message, as a program of that version leaves them.
async fn older<DB: Engine>(store: &SqlxStore<DB>, version: u32, missing: &[&'static str], sql: impl AsyncFn(String))
where
    SqlxStore<DB>: OutboxStore + StoreSchema,
    SqlxDeliveries<DB>: DeliveryStore,
    SqlxAttemptLog<DB>: AttemptLog,
    Transaction<DB>: EntersRows,
{
    store.apply().await.unwrap();
    for table in missing {
        sql(format!("DROP TABLE diator_{table}")).await;
    }
    sql(format!("UPDATE diator_schema SET version = {version}")).await;
    commit(store, vec![StagedMessage::new(message(None, "one"))]).await.unwrap();
    assert_eq!(store.state().await.unwrap(), SchemaState::Outdated { found: version, needed: 3 });
    assert!(store.check().await.is_err() && store.prune_inbox(1).await.is_err());
    let (deliveries, log) = (store.deliveries(), store.attempt_log());
    let of_log = log.begin("billing", &[Uuid::nil()]).await.map(drop);
    for told in [deliveries.put(&[delivery()]).await, deliveries.next_due("billing").await.map(drop), of_log] {
        let text = told.unwrap_err().to_string();
        assert!(text.contains("`schema apply`"), "{text}");
    }
    store.apply().await.unwrap();
    assert_eq!(store.state().await.unwrap(), SchemaState::Current { version: 3 });
    assert_eq!((store.status().await.unwrap().pending, store.prune_inbox(1).await.unwrap()), (1, 0));
    deliveries.put(&[delivery()]).await.unwrap();
    assert_eq!(deliveries.status().await.unwrap()[0].waiting, 1);
    log.begin("billing", &[Uuid::nil()]).await.unwrap();
}

fn delivery() -> NewDelivery {
    NewDelivery::new("billing", "billing.charge", Uuid::now_v7(), "orders", *b"{}")
}

#[tokio::test]
async fn tables_of_older_versions_get_what_they_lack_and_keep_their_messages() {
    within_patience(async {
        let (directory, postgres) = (Directory::new(), Postgres::start(&[]));
        for (version, missing) in [(1, &["delivery", "attempt", "inbox"][..]), (2, &["delivery", "attempt"])] {
            older(&on_postgres(&postgres), version, missing, async |sql| drop(postgres.psql(&sql))).await;
            postgres.psql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
            let (store, pool) = on_sqlite(&directory, &format!("{version}.sqlite"));
            older(&store, version, missing, async |sql| {
                raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
            })
            .await;
        }
    })
    .await;
}

#[tokio::test]
async fn programs_of_older_versions_go_on_with_these_tables() {
    within_patience(async {
        let (directory, postgres) = (Directory::new(), Postgres::start(&[]));
        let (store, pool) = on_sqlite(&directory, "a.sqlite");
        store.apply().await.unwrap();
        on_postgres(&postgres).apply().await.unwrap();
        let version = "SELECT version, oldest FROM diator_schema";
        assert_eq!(postgres.psql(version), "3|1");
        let found: (u32, u32) = sqlx::query_as(version).fetch_one(&pool).await.unwrap();
        for needed in [1, 2] {
            assert_eq!(SchemaState::judge(Some(found), needed), SchemaState::Newer { found: 3 });
        }
        // They find their tables as they were: the later steps add tables, and touch no other one.
        for statements in [on_postgres(&postgres).statements(), store.statements()] {
            let (first, later) = statements.split_once("SET version = 1").unwrap();
            assert!(
                first.contains("diator_outbox") && later.contains("diator_inbox") && later.contains("diator_delivery")
            );
            assert!(!later.contains("ALTER") && !later.contains("DROP") && !later.contains("diator_outbox"), "{later}");
        }
    })
    .await;
}

const CATALOG: &str = "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
    SELECT format('%s.%s %s %s %s %s', table_name, column_name, data_type, is_nullable, column_default, is_identity) AS line
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT format('%s %s', relname, reloptions) FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT format('%s', l) FROM diator_outbox_lease l
    UNION ALL SELECT format('%s', s) FROM diator_schema s
) AS lines";

#[tokio::test]
async fn what_is_printed_is_what_is_applied_on_postgresql() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = on_postgres(&postgres);
        store.apply().await.unwrap();
        let applied = postgres.psql(CATALOG);
        postgres.psql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        postgres.psql(&store.statements());
        assert!(applied.contains("diator_dead_letter"));
        assert_eq!(postgres.psql(CATALOG), applied);
        assert_eq!(store.state().await.unwrap(), SchemaState::Current { version: 3 });
    })
    .await;
}

#[tokio::test]
async fn what_is_printed_is_what_is_applied_on_sqlite() {
    within_patience(async {
        let directory = Directory::new();
        let ((store, applied), (_, printed)) = (on_sqlite(&directory, "a"), on_sqlite(&directory, "b"));
        store.apply().await.unwrap();
        raw_sql(sqlx::AssertSqlSafe(store.statements())).execute(&printed).await.unwrap();
        let catalog = async |pool: &SqlitePool| -> Vec<(String, Option<String>)> {
            sqlx::query_as("SELECT name, sql FROM sqlite_master ORDER BY name").fetch_all(pool).await.unwrap()
        };
        assert_eq!(catalog(&printed).await, catalog(&applied).await);
    })
    .await;
}

#[tokio::test]
async fn several_processes_may_apply_at_once() {
    within_patience(async {
        let directory = Directory::new();
        let postgres = Postgres::start(&[]);
        let applied = (0..8).map(|number| {
            let on_postgres = on_postgres(&postgres);
            let (on_sqlite, _) = on_sqlite(&directory, "a.sqlite");
            let on_postgres = tokio::spawn(async move { on_postgres.apply().await.map_err(|error| error.to_string()) });
            let on_sqlite = tokio::spawn(async move { on_sqlite.apply().await.map_err(|error| error.to_string()) });
            (number, on_postgres, on_sqlite)
        });
        for (number, on_postgres, on_sqlite) in applied.collect::<Vec<_>>() {
            assert_eq!((number, on_postgres.await.unwrap()), (number, Ok(())));
            assert_eq!((number, on_sqlite.await.unwrap()), (number, Ok(())));
        }
    })
    .await;
}

#[tokio::test]
async fn several_may_apply_whatever_the_isolation_is_by_default() {
    within_patience(async {
        let postgres = Postgres::start(&["default_transaction_isolation=serializable"]);
        let stores: Vec<_> = (0..8).map(|_| on_postgres(&postgres)).collect();
        let applied: Vec<_> =
            stores.into_iter().map(|store| tokio::spawn(async move { store.apply().await })).collect();
        for applied in applied {
            applied.await.unwrap().unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn what_fails_half_way_leaves_nothing() {
    within_patience(async {
        let (directory, postgres) = (Directory::new(), Postgres::start(&[]));
        // The last table that is made is there already.
        let in_the_way = "CREATE TABLE diator_dead_letter (a integer)";
        postgres.psql(in_the_way);
        let error = on_postgres(&postgres).apply().await.unwrap_err().to_string();
        assert!(error.contains("diator_dead_letter"), "{error}");
        assert_eq!(postgres.psql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), "diator_dead_letter");
        postgres.psql("DROP TABLE diator_dead_letter");
        on_postgres(&postgres).apply().await.unwrap();

        let (store, pool) = on_sqlite(&directory, "a.sqlite");
        raw_sql(in_the_way).execute(&pool).await.unwrap();
        let error = store.apply().await.unwrap_err().to_string();
        assert!(error.contains("diator_dead_letter"), "{error}");
        let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master").fetch_all(&pool).await.unwrap();
        assert_eq!(tables, ["diator_dead_letter"]);
        raw_sql("DROP TABLE diator_dead_letter").execute(&pool).await.unwrap();
        store.apply().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_schema_in_the_prefix_must_be_there() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = on_postgres(&postgres).prefix("Shop.").unwrap();
        assert_eq!(store.state().await.unwrap(), SchemaState::Missing);
        let error = store.apply().await.unwrap_err().to_string();
        assert!(error.contains("shop"), "{error}");
        postgres.psql("CREATE SCHEMA shop");
        store.apply().await.unwrap();
        store.check().await.unwrap();
        assert_eq!(postgres.psql("SELECT count(*) FROM shop.outbox_lease"), "65");
    })
    .await;
}
