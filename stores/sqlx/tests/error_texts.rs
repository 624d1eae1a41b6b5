//! What a stranger reads when something is not as it should be.
#![cfg(feature = "postgres")]

mod support;

use std::error::Error;
use std::future::pending;
use std::iter::successors;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diator::host::Host;
use diator::outbox::OutboxStore;
use diator::prelude::*;
use diator_sqlx::{SqlxStore, Transaction};
use diator_testkit::{Postgres, within_patience};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::time::{sleep, timeout};

#[derive(Debug, Command)]
struct Join;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
struct Joined;

#[request_handler(Join)]
struct JoinHandler;

impl RequestHandler<Join> for JoinHandler {
    async fn handle(&self, _: Join, cx: &mut RequestContext<'_, Join>) -> Result<(), BoxError> {
        cx.emit(Joined);
        Ok(())
    }
}

#[derive(Debug, Query)]
struct Look;

#[request_handler(Look)]
struct LookHandler {
    transaction: Arc<Transaction<sqlx::Postgres>>,
}

impl RequestHandler<Look> for LookHandler {
    async fn handle(&self, _: Look, _: &mut RequestContext<'_, Look>) -> Result<(), BoxError> {
        let mut connection = self.transaction.connection().await?;
        sqlx::query("INSERT INTO seen VALUES (1)").execute(&mut *connection).await?;
        Ok(())
    }
}

fn mediator(store: &SqlxStore<sqlx::Postgres>) -> Mediator {
    Mediator::builder()
        .handlers(handlers![JoinHandler, LookHandler])
        .container(Services::new().extend(store.services()))
        .broker(InMemoryBroker::new())
        .outbox(store.outbox())
        .build()
        .unwrap()
}

/// With all of its sources, as a program prints it.
fn text(error: &(dyn Error + 'static)) -> String {
    let texts: Vec<_> = successors(Some(error), |&error| error.source()).map(ToString::to_string).collect();
    let text = texts.join(": ");
    println!("{text}");
    text
}

/// A service whose events are relayed elsewhere has no relay that would have looked for the tables at its start.
#[tokio::test]
async fn the_first_event_without_tables_names_the_command() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        let text = text(&mediator(&store).send(Join).await.unwrap_err());
        assert!(
            text.contains("`schema apply`") && text.contains("relation \"diator_outbox\" does not exist"),
            "{text}"
        );
        store.apply_schema().await.unwrap();
        mediator(&store).send(Join).await.unwrap();
        postgres.psql("ALTER TABLE diator_outbox DROP COLUMN causation_id");
        let text = self::text(&mediator(&store).send(Join).await.unwrap_err());
        assert!(text.contains("`schema apply`") && text.contains("causation_id"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn the_health_of_a_relay_repeats_no_password() {
    within_patience(async {
        let pool = PgPoolOptions::new().acquire_timeout(Duration::from_millis(500));
        let store = SqlxStore::new(pool.connect_lazy("postgres://ada:sup3rsecret@127.0.0.1:1/shop").unwrap());
        let health = store.relay().monitor().health().await;
        assert!(health.error.is_some(), "nobody listens there");
        assert!(!format!("{health:?}").contains("sup3rsecret"), "{health:?}");
    })
    .await;
}

/// What a trigger of the program lacks is no matter of the outbox.
#[tokio::test]
async fn another_missing_table_is_told_as_it_is() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        store.apply_schema().await.unwrap();
        postgres.psql(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO notes VALUES (1); RETURN NEW; END';
            CREATE TRIGGER note BEFORE INSERT ON diator_outbox FOR EACH ROW EXECUTE FUNCTION note()",
        );
        let text = text(&mediator(&store).send(Join).await.unwrap_err());
        assert!(text.contains("\"notes\"") && !text.contains("schema apply"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn a_query_that_writes_is_told_that_it_may_not() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        postgres.psql("CREATE TABLE seen (id bigint)");
        let store = SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        let text = text(&mediator(&store).send(Look).await.unwrap_err());
        assert!(text.contains("read-only transaction"), "{text}");
        assert_eq!(postgres.psql("SELECT count(*) FROM seen"), "0");
    })
    .await;
}

#[tokio::test]
async fn tables_that_are_missing_are_named() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let store = SqlxStore::new(PgPool::connect_lazy(&postgres.url()).unwrap());
        let mediator = mediator(&store);
        let emitted = text(&mediator.send(Join).await.unwrap_err());
        assert!(emitted.contains("diator_outbox"), "{emitted}");
        let started = text(&Host::new(mediator).relay(store.relay()).run_until(pending::<()>()).await.unwrap_err());
        assert!(started.contains("the tables are missing") && started.contains("schema apply"), "{started}");
    })
    .await;
}

#[tokio::test]
async fn a_pool_without_a_free_connection_says_so() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let options = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_millis(300));
        let pool = options.connect(&postgres.url()).await.unwrap();
        let store = SqlxStore::new(pool.clone());
        store.apply_schema().await.unwrap();
        let taken = pool.acquire().await.unwrap();
        let text = text(&mediator(&store).send(Join).await.unwrap_err());
        assert!(text.contains("pool"), "{text}");
        drop(taken);
        mediator(&store).send(Join).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_password_is_in_no_text() {
    within_patience(async {
        let postgres = Postgres::start(&["password_encryption=scram-sha-256"]);
        postgres.psql("CREATE ROLE shop LOGIN PASSWORD 'right'");
        let hba = postgres.psql("SHOW hba_file");
        let before = std::fs::read_to_string(&hba).unwrap();
        std::fs::write(&hba, format!("host all shop all scram-sha-256\n{before}")).unwrap();
        postgres.psql("SELECT pg_reload_conf()");
        sleep(Duration::from_millis(300)).await;
        let url = format!("postgres://shop:s3cr3t-and-wrong@127.0.0.1:{}/postgres", postgres.port());
        let store = SqlxStore::<sqlx::Postgres>::new(PgPool::connect_lazy(&url).unwrap());
        let mediator = mediator(&store);
        let refused = text(&mediator.send(Join).await.unwrap_err());
        assert!(refused.contains("shop"), "{refused}");
        let relay = store.relay().broker(InMemoryBroker::new());
        let monitor = relay.monitor();
        let debug = format!("{store:?} {relay:?} {monitor:?} {:?} {:?}", store.outbox(), mediator);
        let started = timeout(Duration::from_secs(2), relay.run_until(pending::<()>())).await;
        let health = serde_json::to_string(&monitor.health().await).unwrap();
        println!("started: {started:?}, health: {health}");
        for text in [refused, debug, health, format!("{started:?}")] {
            assert!(!text.contains("s3cr3t"), "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_host_starts_while_the_database_is_away() {
    within_patience(async {
        let postgres = Postgres::start(&[]);
        let options = PgPoolOptions::new().acquire_timeout(Duration::from_secs(2));
        let store = SqlxStore::new(options.connect_lazy(&postgres.url()).unwrap());
        store.apply_schema().await.unwrap();
        let mediator = mediator(&store);
        mediator.send(Join).await.unwrap();
        postgres.kill();
        let failed = text(&mediator.send(Join).await.unwrap_err());
        assert!(!failed.is_empty());
        let host = Host::new(mediator).relay(store.relay());
        let monitor = host.monitor();
        let begun = Instant::now();
        let running = tokio::spawn(host.run_until(pending::<()>()));
        while !monitor.health().await.running {
            assert!(begun.elapsed() < Duration::from_secs(10));
            sleep(Duration::from_millis(50)).await;
        }
        println!("it runs after {:?}", begun.elapsed());
        let health = monitor.health().await;
        println!("{health:?}");
        assert!(!health.ready && health.relay.unwrap().error.is_some());
        postgres.restart();
        while store.status().await.is_ok_and(|status| status.sent == 0) {
            sleep(Duration::from_millis(50)).await;
        }
        running.abort();
    })
    .await;
}
