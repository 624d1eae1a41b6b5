use std::sync::Arc;
use std::time::Duration;

use diator::endpoint::{Endpoint, Order};
use diator::host::Host;
use diator_benches::machine::processor_ticks;
use diator_benches::{Pair, time};

use super::booked::{Desk, TOPIC, mediator};
use super::by_hand;
use super::plan::Plan;
use super::stock::{Bodies, Stock};

/// An endpoint over a source and a settler that answer at once, beside a loop that is written by hand.
pub(crate) async fn beside_a_loop(plan: &Plan) {
    let bodies = Bodies::new(plan.messages);
    println!(
        "\n| endpoint beside a loop | loop, messages/s | endpoint, messages/s | ratio | middle half | loop, µs of CPU | endpoint, µs of CPU |\n|---|---:|---:|---:|---:|---:|---:|"
    );
    for (order, name) in [(Order::None, "any order"), (Order::PerKey, "in order per key")] {
        for workers in [1, 8, 32] {
            let (mut pair, mut loops, mut ours) = (Pair::default(), Cost::default(), Cost::default());
            // What is allocated for the first time is slower.
            by_loop(&bodies, plan, workers, order).await;
            by_endpoint(&bodies, workers, order).await;
            for turn in 0..plan.turns {
                let (base, endpoint) = if turn % 2 == 0 {
                    let base = loops.of(by_loop(&bodies, plan, workers, order)).await;
                    (base, ours.of(by_endpoint(&bodies, workers, order)).await)
                } else {
                    let endpoint = ours.of(by_endpoint(&bodies, workers, order)).await;
                    (loops.of(by_loop(&bodies, plan, workers, order)).await, endpoint)
                };
                pair.turn(usize::try_from(plan.messages).expect("they fit in memory"), base, endpoint);
            }
            let (figures, (low, high)) = (pair.figures(), pair.middle_half());
            let messages = plan.messages * plan.turns as u64;
            println!(
                "| {name}, {workers} at once | {:.0} | {:.0} | {:.2} | {low:.2}–{high:.2} | {:.1} | {:.1} |",
                figures.base,
                figures.ours,
                figures.ratio,
                loops.microseconds(messages),
                ours.microseconds(messages)
            );
        }
    }
}

async fn by_loop(bodies: &Bodies, plan: &Plan, workers: usize, order: Order) -> Duration {
    let (stock, mediator) = (Stock::new(bodies), mediator(&Arc::new(Desk::default())));
    time(by_hand::consume(stock.opened(), &mediator, plan.messages, workers, order)).await
}

async fn by_endpoint(bodies: &Bodies, workers: usize, order: Order) -> Duration {
    let (stock, mediator) = (Stock::new(bodies), mediator(&Arc::new(Desk::default())));
    let endpoint = Endpoint::new("desk", stock.clone()).topics([TOPIC]).concurrency(workers).order(order);
    let host = Host::new(mediator).endpoint(endpoint);
    time(async { host.run_until(stock.all_acked()).await.expect("it ends in order") }).await
}

/// What a contender has computed in all its turns.
#[derive(Default)]
struct Cost(u64);

impl Cost {
    async fn of(&mut self, turn: impl Future<Output = Duration>) -> Duration {
        let before = processor_ticks();
        let took = turn.await;
        self.0 += processor_ticks() - before;
        took
    }

    fn microseconds(&self, messages: u64) -> f64 {
        self.0 as f64 * 1e4 / messages as f64
    }
}
