#![cfg(all(feature = "postgres", feature = "sqlite"))]
//! Endpoints with an inbox on a database: whatever is delivered again, each handler takes effect once for each message.

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diator::Arrival;
use diator::broker::{MessageType, OutboundMessage};
use diator::container::UnitOfWork;
use diator::deliveries::{DeliveryFilter, DeliveryState, DeliveryStore};
use diator::endpoint::{AttemptEnded, Endpoint, ErrorPolicy};
use diator::host::{Host, HostError};
use diator::prelude::*;
use diator::registry::HandlerId;
use diator_sqlx::{Engine, EntersRows, SqlxStore, StageValue, StagesRows, Transaction, sqlite_options};
use diator_testkit::{Postgres, within_patience};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Sqlite, SqlitePool};
use support::Directory;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use uuid::Uuid;

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "orders")]
struct OrderPlaced {
    number: u32,
}

#[derive(Debug, Serialize, Deserialize, NotificationEvent)]
#[event(topic = "charges")]
struct Handled {
    number: u32,
}

/// What handlers write, in the transaction of their message.
#[diator::async_trait]
trait Effects: Send + Sync {
    async fn add(&self, handler: &'static str, number: u32) -> Result<(), BoxError>;
    async fn run(&self, sql: &str) -> Result<(), BoxError>;
}

struct OnDatabase<DB: Engine>(Arc<Transaction<DB>>);

#[diator::async_trait]
impl<DB: Engine> Effects for OnDatabase<DB>
where
    Transaction<DB>: StagesRows,
{
    async fn add(&self, handler: &'static str, number: u32) -> Result<(), BoxError> {
        let values = [StageValue::Text(Some(handler.into())), StageValue::BigInt(number.into())];
        self.0.execute("INSERT INTO effect (handler, number) VALUES ($1, $2)", &values).await
    }

    async fn run(&self, sql: &str) -> Result<(), BoxError> {
        self.0.execute(sql, &[]).await
    }
}

/// What handlers are to do, besides their work.
#[derive(Default)]
struct Script {
    /// Handlers hang on each of these numbers so often.
    hangs: Mutex<BTreeMap<u32, u32>>,
    /// A statement that fails, and how often it does.
    fails: Mutex<(String, u32)>,
    runs: AtomicU32,
    /// How handlers failed, in words.
    failures: Mutex<Vec<String>>,
}

impl Script {
    async fn handle(&self, effects: &dyn Effects, handler: &'static str, number: u32) -> Result<(), BoxError> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        effects.add(handler, number).await?;
        let hangs = {
            let mut hangs = self.hangs.lock().unwrap();
            let left = hangs.entry(number).or_default();
            let is_one = *left > 0;
            *left = left.saturating_sub(1);
            is_one
        };
        if hangs {
            // Longer than the process lives.
            sleep(Duration::from_millis(1_500)).await;
        }
        let fails = {
            let mut fails = self.fails.lock().unwrap();
            let is_one = fails.1 > 0;
            fails.1 = fails.1.saturating_sub(1);
            is_one.then(|| fails.0.clone())
        };
        match fails {
            Some(statement) => effects.run(&statement).await,
            None => Ok(()),
        }
    }
}

macro_rules! handlers {
    ($($handler:ident is $id:literal),+) => { $(
        #[event_handler(OrderPlaced, id = $id)]
        struct $handler {
            effects: Arc<dyn Effects>,
            script: Arc<Script>,
        }

        impl EventHandler<OrderPlaced> for $handler {
            async fn handle(&self, event: &OrderPlaced, cx: &mut EventContext<'_>) -> Result<(), BoxError> {
                self.script.handle(&*self.effects, $id, event.number).await?;
                cx.emit(Handled { number: event.number });
                Ok(())
            }
        }
    )+ };
}

handlers!(Charge is "billing.charge", Post is "billing.post");

/// A service on a database.
struct World<DB: Engine> {
    connect: Box<dyn Fn() -> SqlxStore<DB>>,
    broker: InMemoryBroker,
    script: Arc<Script>,
    has_inbox: bool,
}

struct Running(JoinHandle<Result<(), HostError>>);

impl<DB: Engine> World<DB>
where
    Transaction<DB>: EntersRows,
{
    fn new(connect: impl Fn() -> SqlxStore<DB> + 'static) -> Self {
        let (broker, script) = (InMemoryBroker::new(), Arc::default());
        Self { connect: Box::new(connect), broker, script, has_inbox: true }
    }

    async fn publish(&self, number: u32, times: u32) {
        let id = Uuid::now_v7();
        let body = format!(
            r#"{{"message_type": "notification_event", "message_name": "OrderPlaced", "message_id": "{id}", "payload": {{"number": {number}}}}}"#
        );
        let message =
            OutboundMessage::new(id, MessageType::Notification, "OrderPlaced", body.into_bytes()).with_topic("orders");
        for _ in 0..times {
            diator::MessageBroker::publish(&self.broker, &message).await.unwrap();
        }
    }

    /// What its endpoints keep.
    fn kept(&self) -> Arc<dyn DeliveryStore> {
        diator::Inbox::deliveries(&(self.connect)().inbox()).unwrap()
    }

    /// Writes down how attempts end that fail.
    fn noting_failures(&self) -> impl Fn(&Arc<Arrival>, HandlerId) -> AttemptEnded + use<DB> {
        let script = self.script.clone();
        move |_, _| {
            let script = script.clone();
            Box::new(move |ended| {
                let failure = ended.and_then(Result::err).map(ToOwned::to_owned);
                script.failures.lock().unwrap().extend(failure);
            })
        }
    }

    /// Starts a process of the service.
    fn start(&self, concurrency: usize) -> Running {
        let store = (self.connect)();
        let effects = |scope: &diator::container::ServiceScope<'_>| Ok(OnDatabase::<DB>(scope.get()?));
        let services = Services::new()
            .extend(store.services())
            .singleton::<Script>(self.script.clone())
            .scoped(effects)
            .alias::<dyn Effects, OnDatabase<DB>>(|effects| effects);
        let builder = Mediator::builder().handlers(diator::handlers![Charge, Post]).container(services);
        let builder = builder.outbox(store.outbox()).relayed_elsewhere();
        let mediator = if self.has_inbox { builder.inbox(store.inbox()) } else { builder }.build().unwrap();
        let endpoint = Endpoint::new("billing", self.broker.clone())
            .topics(["orders"])
            .concurrency(concurrency)
            .errors(ErrorPolicy::new().immediately(0))
            .on_attempt(Arc::new(self.noting_failures()));
        let host = Host::new(mediator).endpoint(endpoint).deadline(Duration::from_secs(5));
        Running(tokio::spawn(host.run_until(std::future::pending::<()>())))
    }
}

impl Running {
    /// It dies: nothing of it comes to its end.
    async fn kill(self) {
        self.0.abort();
        let _ = self.0.await;
        // The tasks that it had spawned.
        sleep(Duration::from_millis(50)).await;
    }
}

const MESSAGES: u32 = 40;

/// Lets all go wrong that makes an engine deliver again, and counts the effects by handler and number, and the handlers' events.
async fn after_a_bad_day<DB: Engine>(
    world: &World<DB>,
    concurrency: usize,
    count: impl AsyncFn(&str) -> Vec<i64>,
) -> (Vec<i64>, i64)
where
    Transaction<DB>: EntersRows,
{
    for number in 0..MESSAGES {
        if number % 10 == 3 {
            world.script.hangs.lock().unwrap().insert(number, 1);
        }
        world.publish(number, 8).await;
    }
    world.broker.lose_answers(30);
    world.broker.fail_settlements(10);
    let first = world.start(concurrency);
    sleep(Duration::from_millis(700)).await;
    // Some of its handlers are in the middle of their work.
    first.kill().await;
    world.broker.restart();
    world.broker.lose_answers(30);
    let (second, third) = (world.start(concurrency), world.start(concurrency));
    // The lock ends although its owner goes on: two processes handle the same message.
    for _ in 0..5 {
        sleep(Duration::from_millis(100)).await;
        world.broker.expire_locks("billing");
    }
    world.script.hangs.lock().unwrap().clear();
    sleep(Duration::from_millis(200)).await;
    third.kill().await;
    world.broker.restart();
    let fourth = world.start(concurrency);
    world.broker.all_settled("billing").await;
    world.broker.replay("billing");
    world.broker.all_settled("billing").await;
    second.kill().await;
    fourth.kill().await;
    assert_eq!(world.broker.dead_letters("billing"), [], "nothing of it is the fault of a message");
    assert_eq!(world.kept().list(&DeliveryFilter::default()).await.unwrap(), []);
    let effects = count("SELECT count(*) FROM effect GROUP BY handler, number ORDER BY handler, number").await;
    let events = count("SELECT count(*) FROM diator_outbox").await[0];
    (effects, events)
}

struct Files(Directory);

impl Files {
    fn pool(&self) -> SqlitePool {
        let options = sqlite_options().filename(self.0.0.join("billing.sqlite"));
        SqlitePool::connect_lazy_with(options.busy_timeout(Duration::from_millis(200)))
    }
}

async fn on_sqlite() -> (Arc<Files>, World<Sqlite>) {
    let files = Arc::new(Files(Directory::new()));
    SqlxStore::new(files.pool()).apply_schema().await.unwrap();
    sqlx::raw_sql("CREATE TABLE effect (handler TEXT, number INTEGER)").execute(&files.pool()).await.unwrap();
    let connect = files.clone();
    (files, World::new(move || SqlxStore::new(connect.pool())))
}

async fn on_postgres() -> (Postgres, World<sqlx::Postgres>) {
    let server = Postgres::start(&[]);
    let url = server.url();
    let connect = move || SqlxStore::new(PgPool::connect_lazy(&url).unwrap());
    connect().apply_schema().await.unwrap();
    server.psql("CREATE TABLE effect (handler text, number bigint)");
    (server, World::new(connect))
}

fn counted(server: &Postgres, sql: &str) -> Vec<i64> {
    server.psql(sql).lines().map(|line| line.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_handler_takes_effect_once_on_postgresql() {
    within_patience(async {
        let (server, world) = on_postgres().await;
        let (effects, events) = after_a_bad_day(&world, 8, async |sql| counted(&server, sql)).await;
        assert_eq!((effects, events), (vec![1; 2 * MESSAGES as usize], i64::from(2 * MESSAGES)));
        assert!(world.script.runs.load(Ordering::SeqCst) > 2 * MESSAGES, "nothing went wrong");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_handler_takes_effect_once_on_sqlite() {
    within_patience(async {
        let (files, world) = on_sqlite().await;
        let count = async |sql: &str| {
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&files.pool()).await.unwrap()
        };
        let (effects, events) = after_a_bad_day(&world, 1, count).await;
        assert_eq!((effects, events), (vec![1; 2 * MESSAGES as usize], i64::from(2 * MESSAGES)));
        assert!(world.script.runs.load(Ordering::SeqCst) > 2 * MESSAGES, "nothing went wrong");
    })
    .await;
}

/// The negative control: the same day does harm where there is no inbox.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_inbox_effects_repeat() {
    within_patience(async {
        let (server, world) = on_postgres().await;
        let world = World { has_inbox: false, ..world };
        let (effects, events) = after_a_bad_day(&world, 8, async |sql| counted(&server, sql)).await;
        assert!(effects.iter().all(|count| *count > 1) && events > i64::from(4 * MESSAGES), "{events}: {effects:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_the_databases_fault_is_tried_again_and_not_counted() {
    within_patience(async {
        let (server, world) = on_postgres().await;
        for state in ["40001", "40P01", "55P03"] {
            let statement = format!("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$");
            *world.script.fails.lock().unwrap() = (statement, 3);
            server.psql("TRUNCATE effect");
            world.publish(1, 1).await;
            let running = world.start(1);
            world.broker.all_settled("billing").await;
            running.kill().await;
            world.broker.restart();
            assert_eq!(counted(&server, "SELECT count(*) FROM effect"), [2], "{state}");
            assert_eq!(world.kept().list(&DeliveryFilter::default()).await.unwrap(), [], "{state}");
        }
        // Another error is counted, and the policy allows no retry.
        *world.script.fails.lock().unwrap() = ("SELECT 1 / 0".to_owned(), 1);
        world.publish(2, 1).await;
        let running = world.start(1);
        world.broker.all_settled("billing").await;
        running.kill().await;
        world.broker.restart();
        assert_eq!(world.broker.dead_letters("billing"), [], "the engine has none: the store keeps it");
        let (store, of_two) = (world.kept(), "SELECT count(*) FROM effect WHERE number = 2");
        let dead = store.list(&DeliveryFilter::dead()).await.unwrap();
        assert_eq!((dead.len(), counted(&server, of_two)), (1, vec![1]), "{dead:?}");
        let DeliveryState::Dead { reason, .. } = &dead[0].state else { panic!("{dead:?}") };
        assert!(reason.text.contains("division by zero"), "{reason:?}");
        // A replay takes effect once, and so does whatever the engine delivers again.
        assert_eq!(store.replay(&DeliveryFilter::dead()).await.unwrap(), 1);
        let running = world.start(1);
        while !store.list(&DeliveryFilter::default()).await.unwrap().is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
        world.broker.replay("billing");
        world.broker.all_settled("billing").await;
        running.kill().await;
        assert_eq!(counted(&server, of_two), [2]);
        assert_eq!(store.list(&DeliveryFilter::default()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_tables_and_a_full_pool_cost_no_message() {
    within_patience(async {
        let (server, mut world) = on_postgres().await;
        let url = server.url();
        world.connect = Box::new(move || {
            let options = sqlx::postgres::PgPoolOptions::new().max_connections(1);
            SqlxStore::new(options.acquire_timeout(Duration::from_millis(100)).connect_lazy(&url).unwrap())
        });
        // It holds the only connection for longer than others wait for one.
        world.script.hangs.lock().unwrap().insert(0, 1);
        let running = world.start(3);
        // A host that does not find the tables does not start.
        world.broker.all_settled("billing").await;
        server.psql("ALTER TABLE diator_inbox RENAME TO hidden");
        for number in 0..5 {
            world.publish(number, 1).await;
        }
        sleep(Duration::from_millis(300)).await;
        assert_eq!(world.script.runs.load(Ordering::SeqCst), 0, "no handler runs without the inbox");
        server.psql("ALTER TABLE hidden RENAME TO diator_inbox");
        world.broker.all_settled("billing").await;
        running.kill().await;
        let failures = std::mem::take(&mut *world.script.failures.lock().unwrap());
        let met = |what: &str| failures.iter().any(|failure| failure.contains(what));
        assert!(met("\"diator_inbox\" does not exist") && met("pool timed out"), "{failures:#?}");
        assert_eq!(counted(&server, "SELECT count(*) FROM effect"), [10]);
        assert_eq!(world.kept().list(&DeliveryFilter::default()).await.unwrap(), []);
    })
    .await;
}

/// A unit of work of the program's own around sqlx's connection.
struct Own(Transaction<sqlx::Postgres>);

#[diator::async_trait]
impl UnitOfWork for Own {
    async fn commit(&self) -> Result<(), diator::container::CommitError> {
        self.0.commit().await
    }

    async fn roll_back(&self) -> Result<(), BoxError> {
        self.0.roll_back().await
    }
}

#[diator::async_trait]
impl StagesRows for Own {
    async fn execute(&self, sql: &str, values: &[StageValue<'_>]) -> Result<(), BoxError> {
        self.0.execute(sql, values).await
    }
}

#[diator::async_trait]
impl EntersRows for Own {
    async fn fetch(&self, sql: &str, values: &[StageValue<'_>]) -> Result<Option<i64>, BoxError> {
        self.0.fetch(sql, values).await
    }
}

#[event_handler(OrderPlaced, id = "own")]
struct InOwn {
    unit: Arc<Own>,
}

impl EventHandler<OrderPlaced> for InOwn {
    async fn handle(&self, event: &OrderPlaced, _: &mut EventContext<'_>) -> Result<(), BoxError> {
        let values = [StageValue::BigInt(event.number.into())];
        self.unit.execute("INSERT INTO effect (handler, number) VALUES ('own', $1)", &values).await
    }
}

#[tokio::test]
async fn a_unit_of_work_of_the_programs_own_is_entered_too() {
    within_patience(async {
        let (server, _) = on_postgres().await;
        let pool = PgPool::connect_lazy(&server.url()).unwrap();
        let store = SqlxStore::new(pool.clone());
        let own = move |_: &diator::container::ServiceScope<'_>| {
            Ok(Own(Transaction::new(pool.clone(), diator_sqlx::Mode::Write)))
        };
        let mediator = Mediator::builder()
            .handlers(diator::handlers![InOwn])
            .container(Services::new().unit_of_work_sync(own))
            .outbox(store.outbox_in::<Own>())
            .inbox(store.inbox_in::<Own>())
            .relayed_elsewhere()
            .build()
            .unwrap();
        let payload = serde_json::json!({"number": 7});
        let message = diator::InboundMessage::new(MessageType::Notification, "OrderPlaced", Uuid::now_v7(), payload);
        let arrival = mediator.arrive(message).unwrap();
        let id = arrival.handlers()[0];
        assert_eq!(arrival.handle_once(&id, "billing", 0).await.unwrap(), diator::Handling::Handled);
        assert_eq!(arrival.handle_once(&id, "billing", 0).await.unwrap(), diator::Handling::Before);
        assert_eq!(arrival.handle_once(&id, "billing", 1).await.unwrap(), diator::Handling::Handled, "a replay");
        assert_eq!(counted(&server, "SELECT count(*) FROM effect"), [2]);
    })
    .await;
}
