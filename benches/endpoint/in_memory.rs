use std::sync::Arc;
use std::time::Duration;

use diator::endpoint::{Endpoint, Order};
use diator::host::Host;
use diator_benches::machine::processor_ticks;
use diator_benches::{median, time};

use super::booked::{Desk, TOPIC, filled, mediator};
use super::plan::Plan;

/// What waits at the engine in memory until an endpoint of 32 workers has handled it.
pub(crate) async fn backlog(plan: &Plan) {
    println!(
        "\n| engine in memory, 32 at once | µs for each message | fastest and slowest turn | µs of CPU |\n|---|---:|---:|---:|"
    );
    for (order, name) in [(Order::None, "any order"), (Order::PerKey, "in order per key")] {
        let (mut times, mut ticks) = (Vec::new(), 0);
        drain(plan, order).await;
        for _ in 0..plan.turns {
            let (took, computed) = drain(plan, order).await;
            times.push(took.as_secs_f64() * 1e6 / plan.messages as f64);
            ticks += computed;
        }
        let (fastest, slowest) =
            times.iter().fold((f64::MAX, 0.0_f64), |(low, high), time| (low.min(*time), high.max(*time)));
        let computed = ticks as f64 * 1e4 / (plan.messages * plan.turns as u64) as f64;
        println!("| {name} | {:.1} | {fastest:.1}–{slowest:.1} | {computed:.1} |", median(times));
    }
}

async fn drain(plan: &Plan, order: Order) -> (Duration, u64) {
    let broker = filled(plan.messages).await;
    let desk = Arc::new(Desk::new(plan.messages));
    let endpoint = Endpoint::new("desk", broker).topics([TOPIC]).concurrency(32).order(order);
    let host = Host::new(mediator(&desk)).endpoint(endpoint);
    let before = processor_ticks();
    let took = time(async { host.run_until(desk.has_enough()).await.expect("it ends in order") }).await;
    (took, processor_ticks() - before)
}
