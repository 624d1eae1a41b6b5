use std::collections::HashMap;
use std::time::{Duration, Instant};

use diator::Mediator;
use diator::endpoint::Endpoint;
use diator::host::Host;
use diator::relay::Relay;
use diator_redis::{RedisConfig, RedisSubscription};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::booking::{Book, handling_on_postgres, mediator_on_postgres, next_number};
use super::plan::Plan;
use super::servers::{broker, fsync, postgres, redis};

const TASKS: i64 = 32;
const PER_SECOND: u32 = 200;

/// From a command in service A to the committed effect of its event in service B, each with a database of its own, all on one machine.
pub(crate) async fn from_command_to_effect(plan: &Plan) {
    println!(
        "\n| command in A to effect in B | messages | messages/s | at {PER_SECOND}/s: p50, ms | p99, ms | longest, ms |\n|---|---:|---:|---:|---:|---:|"
    );
    for on in [true, false] {
        let (_a, _, a) = postgres(&[fsync(on)], 36).await;
        let (_b, effects, b) = postgres(&[fsync(on)], 36).await;
        let (_redis, url) = redis();
        let (stop, stopped) = oneshot::channel::<()>();
        let relay = tokio::spawn(Relay::new(a.clone()).broker(broker(&url)).run_until(stopped));
        let (end, ended) = oneshot::channel::<()>();
        let subscription = RedisSubscription::new(RedisConfig::streams(&*url)).expect("it is right");
        let endpoint = Endpoint::new("bookings", subscription).concurrency(32);
        let service = tokio::spawn(Host::new(handling_on_postgres(&b)).endpoint(endpoint).run_until(ended));
        let mediator = mediator_on_postgres(&a);

        // The first have to connect, and to prepare their statements.
        flood(&mediator, &effects, Duration::from_secs(1)).await;
        let (messages, took) = flood(&mediator, &effects, plan.watch).await;
        notify_of_effects(&effects).await;
        let mut times = trickle(&mediator, &effects, plan.watch).await;
        times.sort_unstable();
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
        println!(
            "| {} | {messages} | {:.0} | {:.1} | {:.1} | {:.1} |",
            fsync(on),
            messages as f64 / took.as_secs_f64(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
        drop((stop, end));
        relay.await.expect("it ends").expect("it could run");
        service.await.expect("it ends").expect("it could run");
    }
}

/// As many commands as so many tasks send in this time, until the last has its effect.
async fn flood(mediator: &Mediator, effects: &PgPool, time: Duration) -> (i64, Duration) {
    let (before, begun) = (count(effects).await, Instant::now());
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let mediator = mediator.clone();
        tasks.spawn(async move {
            let mut sent = 0;
            while begun.elapsed() < time {
                mediator.send(Book(next_number())).await.expect("it is committed");
                sent += 1;
            }
            sent
        });
    }
    let sent: i64 = tasks.join_all().await.into_iter().sum();
    while count(effects).await < before + sent {
        sleep(Duration::from_millis(5)).await;
    }
    (sent, begun.elapsed())
}

async fn count(effects: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM booking").fetch_one(effects).await.expect("it is there")
}

/// PostgreSQL tells of a row when it is committed.
async fn notify_of_effects(effects: &PgPool) {
    let trigger = "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_notify('effects', NEW.id::text); RETURN NULL; END $$;
        CREATE TRIGGER tell AFTER INSERT ON booking FOR EACH ROW EXECUTE FUNCTION tell()";
    sqlx::raw_sql(trigger).execute(effects).await.expect("it is new");
}

/// How long each took from the call of `send` to the commit in B.
async fn trickle(mediator: &Mediator, effects: &PgPool, time: Duration) -> Vec<Duration> {
    let mut listener = PgListener::connect_with(effects).await.expect("it is there");
    listener.listen("effects").await.expect("it is there");
    let messages = time.as_secs() * u64::from(PER_SECOND);
    let hearing = tokio::spawn(async move {
        let mut heard = HashMap::new();
        while (heard.len() as u64) < messages {
            let notification = listener.recv().await.expect("it is there");
            heard.insert(notification.payload().parse::<i64>().expect("it is a number"), Instant::now());
        }
        heard
    });
    let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sending = JoinSet::new();
    for _ in 0..messages {
        ticks.tick().await;
        let (mediator, id, begun) = (mediator.clone(), next_number(), Instant::now());
        sending.spawn(async move {
            mediator.send(Book(id)).await.expect("it is committed");
            (id, begun)
        });
    }
    let sent = sending.join_all().await;
    let heard = hearing.await.expect("it hears all");
    sent.into_iter().map(|(id, begun)| heard[&id].duration_since(begun)).collect()
}
