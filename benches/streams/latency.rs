use std::sync::Arc;
use std::time::Duration;

use diator::endpoint::Order;
use redis::cmd;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use super::bookings::{Booked, Desk, KEYS, TOPIC, host, now};
use super::by_hand::consume;
use super::plan::Plan;
use super::server::{GUEST, OPENS, Server, body, streams};

const MESSAGES_PER_SECOND: u32 = 500;
const WORKERS: usize = 8;

/// From just before a message is published until its handler is called.
pub(crate) async fn to_the_handler(plan: &Plan) {
    println!(
        "\n| publish to handled, {MESSAGES_PER_SECOND} messages/s | messages | p50, ms | p99, ms | longest, ms |\n|---|---:|---:|---:|---:|"
    );
    let server = Server::start();
    let messages = plan.watch.as_secs() * u64::from(MESSAGES_PER_SECOND);
    // The first turn warms both up.
    for turn in 0..3 {
        for (name, group) in [("loop", format!("loop-{turn}")), ("endpoint", format!("desk-{turn}"))] {
            let desk = Desk::noting(messages);
            if name == "loop" {
                let streams = streams(false);
                let consuming = consume(&server, &streams, &group, &desk, messages);
                tokio::join!(consuming, publish(&server, messages));
            } else {
                let (stop, stopped) = oneshot::channel::<()>();
                let running = tokio::spawn(host(&server, &group, &desk, WORKERS, Order::None).run_until(stopped));
                tokio::join!(desk.has_enough(), publish(&server, messages));
                drop(stop);
                running.await.expect("it does not panic").expect("it ends in order");
            }
            // The next one would get these again.
            let mut connection = server.connection().await;
            cmd("DEL").arg(TOPIC).query_async::<()>(&mut connection).await.expect("it is there");
            if turn > 0 {
                report(&format!("{name}, turn {turn}"), &desk);
            }
        }
    }
}

fn report(name: &str, desk: &Arc<Desk>) {
    let mut took = desk.took.as_ref().expect("it notes").lock().expect("nobody panics").clone();
    took.sort_unstable();
    let at = |part: f64| Duration::from_micros(took[((took.len() - 1) as f64 * part) as usize]).as_secs_f64() * 1e3;
    println!("| {name} | {} | {:.2} | {:.2} | {:.2} |", took.len(), at(0.5), at(0.99), at(1.0));
}

async fn publish(server: &Server, messages: u64) {
    let mut connection = server.connection().await;
    sleep(OPENS).await;
    let mut ticks = interval(Duration::from_secs(1) / MESSAGES_PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..messages {
        ticks.tick().await;
        let (id, mut event) = (Uuid::now_v7(), Booked::new(number % KEYS, "A".repeat(GUEST)));
        event.sent = now();
        let mut add = cmd("XADD");
        add.arg(TOPIC)
            .arg("*")
            .arg("id")
            .arg(id.to_string())
            .arg("type")
            .arg("notification_event")
            .arg("name")
            .arg("Booked");
        add.arg("content_type").arg("application/json").arg("key").arg(event.room).arg("body").arg(body(id, &event));
        add.query_async::<String>(&mut connection).await.expect("it is taken");
    }
}
