//! The shop in one process, on SQLite and the broker in memory: some thousand orders, and what has become of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use diator::outbox::OutboxStore;
use diator::prelude::*;
use diator_sqlx::sqlite_options;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteSynchronous;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use crate::contracts::CustomerNotified;
use crate::database::Database;
use crate::load::{self, Answers};
use crate::picture;
use crate::samples::Sample;
use crate::services::{Service, host, mediator, with_web};

const SERVICES: [Service; 3] = [Service::Web, Service::Billing, Service::Notifications];

pub async fn start(words: &[&str]) -> Result<(), BoxError> {
    if !words.is_empty() {
        return Err("a service alone needs servers: `cargo run --features postgres,redis --example shop -- …`".into());
    }
    let folder = Folder::new()?;
    // A shop that shall survive a loss of power keeps `FULL`, which is the default of these options.
    let options = sqlite_options().filename(folder.0.join("shop.db")).synchronous(SqliteSynchronous::Normal);
    let database = Database::new(SqlitePool::connect_with(options).await?);
    for service in SERVICES {
        database.create(service.tables()).await?;
    }

    let broker = InMemoryBroker::new();
    let mediator = mediator(&SERVICES, &database, broker.clone())?;
    let endpoints = SERVICES.into_iter().filter_map(|service| service.endpoint(broker.clone()));
    let host = host(&mediator, &database, endpoints);
    let host = with_web(host, mediator.clone(), TcpListener::bind("127.0.0.1:0").await?);

    let (answers, mut samples) = (Answers::default(), Vec::new());
    let mut loaded = Ok(());
    host.run_until(async {
        let all = async {
            loaded = load::run(&mediator, &answers).await;
            // What is not there after this is lost.
            let _ = timeout(Duration::from_secs(60), all_done(&database, &answers)).await;
        };
        tokio::select! {
            () = all => {}
            () = watch(&database, &answers, &mut samples) => {}
        }
    })
    .await?;
    loaded?;
    // It differs from run to run, and goes to the standard error output.
    picture::draw(&env::temp_dir().join("diator-shop.svg"), &samples, &[])?;
    report(&database, &answers, &broker).await
}

/// Waits until each order has come through all services.
async fn all_done(database: &Database, answers: &Answers) -> Result<(), BoxError> {
    loop {
        let counts = answers.counts();
        let notified = order_ids(database, "notifications").await?.len();
        let refunded = order_ids(database, "refunds").await?.len();
        let pending = database.store.status().await?.pending;
        if notified >= counts.placed.len() && refunded >= counts.cancelled.len() && pending == 0 {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Counts ten times in a second, for the picture.
async fn watch(database: &Database, answers: &Answers, samples: &mut Vec<Sample>) {
    let begun = Instant::now();
    loop {
        let notified = sqlx::query_scalar("SELECT count(*) FROM notifications").fetch_one(&database.pool).await;
        let notified: i64 = notified.unwrap_or_default();
        let (placed, seconds) = (answers.counts().placed.len(), begun.elapsed().as_secs_f64());
        samples.push(Sample { seconds, placed: placed as f64, notified: notified as f64 });
        sleep(Duration::from_millis(100)).await;
    }
}

async fn order_ids(database: &Database, table: &'static str) -> Result<Vec<i64>, BoxError> {
    let all = format!("SELECT order_id FROM {table}");
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(all)).fetch_all(&database.pool).await?)
}

/// Compares the answers that the clients got with the rows and the published events.
async fn report(database: &Database, answers: &Answers, broker: &InMemoryBroker) -> Result<(), BoxError> {
    let counts = answers.counts();
    let published = broker.published_events::<CustomerNotified>().into_iter().map(|event| event.order_id).collect();
    let steps = [
        ("charged", order_ids(database, "charges").await?),
        ("notified", order_ids(database, "notifications").await?),
        ("published", published),
    ];
    let (mut lost, mut doubled) = (0, 0);
    println!("{:<12} {:>6}", "placed", counts.placed.len());
    for (step, order_ids) in steps {
        println!("{step:<12} {:>6}", order_ids.len());
        let mut times = BTreeMap::new();
        order_ids.into_iter().for_each(|id| *times.entry(id).or_insert(0) += 1);
        lost += counts.placed.iter().filter(|id| !times.contains_key(id)).count();
        doubled += times.values().filter(|times| **times > 1).count();
    }
    println!("{:<12} {:>6}", "lost", lost);
    println!("{:<12} {:>6}", "doubled", doubled);
    let refunded = order_ids(database, "refunds").await?.len();
    println!("{} orders were cancelled, and {refunded} refunded", counts.cancelled.len());
    println!("{} were refused: sold out; {}: no such product", counts.sold_out, counts.unknown_product);
    if lost + doubled == 0 { Ok(()) } else { Err("the shop has lost or doubled something".into()) }
}

/// A temporary folder, removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = env::temp_dir().join(format!("diator-shop-{}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}
