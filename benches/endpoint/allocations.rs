use std::sync::Arc;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use diator::endpoint::{Endpoint, Order};
use diator::host::Host;
use diator::subscription::Subscription;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use super::booked::{Desk, KEYS, TOPIC, filled, mediator};
use super::by_hand;
use super::stock::{Bodies, Stock};

const MESSAGES: u64 = 20_000;

/// How often each message allocates, from the source to its ack.
pub(crate) fn of_a_message() {
    let bodies = Bodies::new(MESSAGES);
    println!("| one message, 32 at once | allocations | bytes |\n|---|---:|---:|");
    let print = |name: &str, counted: &AllocationInfo| {
        let each = |total: u64| total as f64 / MESSAGES as f64;
        println!("| {name} | {:.1} | {:.0} |", each(counted.count_total), each(counted.bytes_total));
    };
    let mediator_alone = runtime();
    let desk = mediator(&Arc::new(Desk::default()));
    let by_hand = measure(|| {
        mediator_alone.block_on(by_hand::consume(Stock::new(&bodies).opened(), &desk, MESSAGES, 32, Order::None));
    });
    print("loop by hand", &by_hand);
    for (order, name) in [(Order::None, "any order"), (Order::PerKey, "in order per key")] {
        let stock = Stock::new(&bodies);
        let counted = handled(Endpoint::new("desk", stock.clone()).order(order), async |_| stock.all_acked().await);
        print(&format!("endpoint, source that answers at once, {name}"), &counted);
        let broker = runtime().block_on(filled(MESSAGES));
        let counted = handled(Endpoint::new("desk", broker).order(order), async |desk| desk.has_enough().await);
        print(&format!("endpoint, engine in memory, {name}"), &counted);
    }
}

fn handled(endpoint: Endpoint, until: impl AsyncFnOnce(&Desk)) -> AllocationInfo {
    let desk = Arc::new(Desk::new(MESSAGES));
    let (runtime, host) = (runtime(), Host::new(mediator(&desk)).endpoint(endpoint.topics([TOPIC]).concurrency(32)));
    measure(|| runtime.block_on(host.run_until(until(&desk))).expect("it ends in order"))
}

/// What an endpoint keeps in memory.
pub(crate) fn of_keys() {
    println!("\n| an endpoint in order per key, 32 at once | KiB in memory |\n|---|---:|");
    let keys = Bodies::new(KEYS);
    let held = Duration::from_secs(3_600);
    for (name, bodies, takes, handled) in [
        ("nothing has come", &Bodies::new(0), Duration::ZERO, 0),
        ("a message of each of 1,000 keys is in hand", &keys, held, 0),
        ("a message of each of 1,000 keys was handled", &keys, Duration::ZERO, KEYS),
        ("20 messages of each of 1,000 keys were handled", &Bodies::new(20 * KEYS), Duration::ZERO, 20 * KEYS),
    ] {
        let counted = kept(Stock::new(bodies), takes, handled);
        println!("| {name} | {:.0} |", counted.bytes_current as f64 / 1024.0);
    }
}

/// What is there beyond what was there before the endpoint began, once so many messages were handled.
fn kept(stock: impl Subscription, takes: Duration, handled: u64) -> AllocationInfo {
    let desk = Arc::new(Desk::new(handled).taking(takes, takes));
    let (runtime, mediator) = (runtime(), mediator(&desk));
    let endpoint = Endpoint::new("desk", stock).topics([TOPIC]).concurrency(32).max_ahead(1_000).order(Order::PerKey);
    let host = Host::new(mediator).endpoint(endpoint).deadline(Duration::ZERO);
    measure(|| {
        runtime.block_on(async {
            tokio::spawn(host.run_until(std::future::pending::<()>()));
            if handled > 0 {
                desk.has_enough().await;
            }
            // All tasks come to where nothing is left to do.
            for _ in 0..10_000 {
                yield_now().await;
            }
        });
    })
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime can be built")
}
