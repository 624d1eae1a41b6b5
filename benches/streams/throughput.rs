use std::time::Duration;

use diator::endpoint::Order;
use diator_benches::{Pair, time};

use super::bookings::{Desk, host};
use super::by_hand::consume;
use super::plan::Plan;
use super::server::{PARTITIONS, Server, streams};

/// An endpoint that reads a stream, beside the loop.
pub(crate) async fn in_any_order(plan: &Plan) {
    compare("Redis Streams", Order::None, plan).await;
}

/// An endpoint that reads partitions, beside the loop, which reads the same streams.
pub(crate) async fn in_order_per_key(plan: &Plan) {
    compare(&format!("Redis Streams, order per key over {PARTITIONS} partitions"), Order::PerKey, plan).await;
}

async fn compare(title: &str, order: Order, plan: &Plan) {
    let server = Server::start();
    let bytes = server.fill(order == Order::PerKey, plan.messages).await;
    println!(
        "\n| {title}, {} messages of {bytes} bytes | loop, messages/s | endpoint, messages/s | ratio | middle half |\n|---|---:|---:|---:|---:|",
        plan.messages
    );
    for workers in [1, 8, 32] {
        // What is allocated for the first time is slower.
        by_loop(&server, order, plan).await;
        by_endpoint(&server, order, workers, plan).await;
        let mut pair = Pair::default();
        for turn in 0..plan.turns {
            let (base, ours);
            if turn % 2 == 0 {
                base = by_loop(&server, order, plan).await;
                ours = by_endpoint(&server, order, workers, plan).await;
            } else {
                ours = by_endpoint(&server, order, workers, plan).await;
                base = by_loop(&server, order, plan).await;
            }
            pair.turn(usize::try_from(plan.messages).expect("they fit in memory"), base, ours);
        }
        let (figures, (low, high)) = (pair.figures(), pair.middle_half());
        println!(
            "| {workers} at once | {:.0} | {:.0} | {:.2} | {low:.2}–{high:.2} |",
            figures.base, figures.ours, figures.ratio
        );
    }
}

/// From opening to the last acknowledgement.
async fn by_loop(server: &Server, order: Order, plan: &Plan) -> Duration {
    let (streams, desk) = (streams(order == Order::PerKey), Desk::new(plan.messages));
    let took = time(consume(server, &streams, "loop", &desk, plan.messages)).await;
    for stream in &streams {
        server.forget(stream, "loop").await;
    }
    took
}

/// From opening to the orderly end.
async fn by_endpoint(server: &Server, order: Order, workers: usize, plan: &Plan) -> Duration {
    let desk = Desk::new(plan.messages);
    let host = host(server, "desk", &desk, workers, order);
    let took = time(async { host.run_until(desk.has_enough()).await.expect("it ends in order") }).await;
    for stream in &streams(order == Order::PerKey) {
        server.forget(stream, "desk").await;
    }
    took
}
