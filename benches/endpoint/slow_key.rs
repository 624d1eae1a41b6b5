use std::sync::Arc;
use std::time::Duration;

use diator::endpoint::{Endpoint, Order};
use diator::host::Host;
use diator_benches::{Pair, time};

use super::booked::{Desk, KEYS, TOPIC, mediator};
use super::plan::Plan;
use super::stock::{Bodies, Stock};

const SLOW: Duration = Duration::from_millis(100);

/// What the others lose when one key of 1,000 takes its time.
pub(crate) async fn among_others(plan: &Plan) {
    println!(
        "\n| one key of 1,000 takes 100 ms, 32 at once | others without it, messages/s | others beside it | they lose | middle half |\n|---|---:|---:|---:|---:|"
    );
    let bodies = Bodies::new(plan.messages.max(KEYS));
    let messages = plan.messages.max(KEYS);
    for (others, name) in [(0, "the others take no time"), (1, "the others take 1 ms")] {
        let others = Duration::from_millis(others);
        let mut pair = Pair::default();
        for turn in 0..=plan.turns {
            let (first, second) = if turn % 2 == 0 { (Duration::ZERO, SLOW) } else { (SLOW, Duration::ZERO) };
            let first = handle(&bodies, messages, first, others).await;
            let second = handle(&bodies, messages, second, others).await;
            let (base, ours) = if turn % 2 == 0 { (first, second) } else { (second, first) };
            // What is allocated for the first time is slower.
            if turn > 0 {
                pair.turn(usize::try_from(messages - messages / KEYS).expect("they fit in memory"), base, ours);
            }
        }
        let (figures, (low, high)) = (pair.figures(), pair.middle_half());
        let lost = |ratio: f64| (1.0 - ratio) * 100.0;
        println!(
            "| {name} | {:.0} | {:.0} | {:.1} % | {:.1}–{:.1} % |",
            figures.base,
            figures.ours,
            lost(figures.ratio),
            lost(high),
            lost(low)
        );
    }
}

/// Until all messages of the other keys are handled.
async fn handle(bodies: &Bodies, messages: u64, slow: Duration, others: Duration) -> Duration {
    let of_slow_key = messages.div_ceil(KEYS);
    let enough = if slow.is_zero() { messages } else { messages - of_slow_key };
    let desk = Arc::new(Desk::new(enough).taking(slow, others));
    let endpoint = Endpoint::new("desk", Stock::new(bodies)).topics([TOPIC]).concurrency(32).order(Order::PerKey);
    // What is left of the slow key then is not waited for.
    let host = Host::new(mediator(&desk)).endpoint(endpoint).deadline(Duration::from_secs(1));
    let mut took = Duration::ZERO;
    let stop = async { took = time(desk.has_enough()).await };
    host.run_until(stop).await.expect("it ends in order");
    took
}
