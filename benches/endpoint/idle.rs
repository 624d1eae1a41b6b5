use std::sync::Arc;

use diator::endpoint::{Endpoint, Order};
use diator::host::Host;
use diator::prelude::*;
use diator_benches::machine::processor_ticks;
use tokio::time::{Instant, sleep};

use super::booked::{Desk, TOPIC, mediator};
use super::plan::Plan;
use super::stock::{Bodies, Stock};

/// Endpoints that have nothing to do.
pub(crate) async fn endpoint(plan: &Plan) {
    println!("\n| idle endpoints | seconds | CPU of the process, part of one core |\n|---|---:|---:|");
    for (name, endpoints, in_memory) in [
        ("1, source that yields nothing", 1, false),
        ("1, engine in memory", 1, true),
        ("100, engine in memory", 100, true),
    ] {
        let hosts: Vec<_> =
            (0..endpoints).map(|_| tokio::spawn(host(in_memory).run_until(sleep(plan.watch * 2)))).collect();
        // They open.
        sleep(plan.watch / 5).await;
        let (begun, ticks) = (Instant::now(), processor_ticks());
        sleep(plan.watch).await;
        let (seconds, ticks) = (begun.elapsed().as_secs_f64(), processor_ticks() - ticks);
        println!("| {name} | {seconds:.0} | {:.2} % |", ticks as f64 / seconds);
        hosts.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

fn host(in_memory: bool) -> Host {
    let endpoint = if in_memory {
        Endpoint::new("desk", InMemoryBroker::new())
    } else {
        Endpoint::new("desk", Stock::new(&Bodies::new(0)))
    };
    Host::new(mediator(&Arc::new(Desk::default())))
        .endpoint(endpoint.topics([TOPIC]).concurrency(32).order(Order::PerKey))
}
