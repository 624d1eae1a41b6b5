use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::contenders::{direct, hand_written, hexeract, medi_rs, mediator, mediator_rs, ours, rust_bus};
use crate::{Table, median};

/// All tables, in the order in which they are printed.
pub fn tables(runtime: &Runtime) -> Vec<Table> {
    // medi-rs starts its workers here.
    let _context = runtime.enter();
    runtime.block_on(rust_bus::init());
    vec![
        Table::new("send", 1)
            .row("hand-written map", hand_written::send())
            .row("hand-written map, hashed by identity", hand_written::send_by_identity())
            .row("direct call", direct::send())
            .row("diator, `send`", ours::send())
            .row("medi-rs", medi_rs::send())
            .row("diator, `send_dyn`", ours::send_dyn())
            .row("mediator-rs", mediator_rs::send())
            .row("mediator", mediator::send())
            .row("hexeract", hexeract::send()),
        Table::new("send, among 256 more handlers", 1)
            .row("hand-written map", hand_written::send_among_256())
            .row("diator, `send`", ours::send_among_256())
            .row("diator, `send_dyn`", ours::send_dyn_among_256())
            .row("mediator-rs", mediator_rs::send_among_256())
            .row("mediator", mediator::send_among_256())
            .row("hexeract", hexeract::send_among_256()),
        Table::new("send, through three middlewares", 1)
            .row("hand-written chain of boxed `Next`", hand_written::send_through_3())
            .row("hand-written chain along a slice", hand_written::send_through_slice_of_3())
            .row("diator, `send`", ours::send_through_3())
            .row("medi-rs", medi_rs::send_through_3())
            .row("diator, `send_dyn`", ours::send_dyn_through_3())
            .row("mediator-rs", mediator_rs::send_through_3())
            .row("mediator", mediator::send_through_3())
            .row("hexeract", hexeract::send_through_3()),
        Table::new("an event with 1 handler", 1)
            .row("hand-written loop", hand_written::emit(1))
            .row("diator", ours::emit_to_1())
            .row("medi-rs, `publish`, each tenth waited for", medi_rs::publish_to_1())
            .row("medi-rs, `publish_and_wait`", medi_rs::emit_to_1())
            .row("mediator", mediator::emit(1))
            .row("hexeract", hexeract::emit(1))
            .row("rust_bus", rust_bus::emit_to_1()),
        Table::new("an event with 10 handlers", 10)
            .row("hand-written loop", hand_written::emit(10))
            .row("diator", ours::emit_to_10())
            .row("medi-rs, `publish_and_wait`", medi_rs::emit_to_10())
            .row("mediator", mediator::emit(10))
            .row("hexeract", hexeract::emit(10))
            .row("rust_bus", rust_bus::emit_to_10()),
        Table::new("send, one event with 1 handler", 2)
            .row("hand-written", hand_written::send_and_emit())
            .row("diator", ours::send_and_emit())
            .row("medi-rs, `publish_and_wait`", medi_rs::send_and_emit())
            .row("mediator", mediator::send_and_emit())
            .row("hexeract", hexeract::send_and_emit()),
    ]
}

/// Prints how large the futures are of a request of eight bytes.
pub fn sizes() {
    println!("\n| future of one message | bytes |\n|---|---:|");
    for (future, size) in ours::sizes() {
        println!("| {future} | {size} |");
    }
}

/// Prints what two tasks send on one mediator, compared with one task.
pub fn two_tasks(turns: usize) {
    const TIMES: u64 = 200_000;
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("there is a runtime");
    let mediator = ours::shared();
    println!("\n| two tasks on two cores, {turns} turns | times as many messages as one task |\n|---|---:|");
    let ratio = |run: &dyn Fn(usize) -> Duration| {
        let _ = run(2);
        median((0..turns).map(|_| 2.0 * run(1).as_secs_f64() / run(2).as_secs_f64()).collect())
    };
    let lone = |tasks| tasks_take(&runtime, tasks, || direct::repeat(TIMES));
    println!("| direct call: what the machine gives | {:.2} |", ratio(&lone));
    let send = |tasks| tasks_take(&runtime, tasks, || ours::repeat(mediator.clone(), TIMES));
    println!("| `send` | {:.2} |", ratio(&send));
    let send_dyn = |tasks| tasks_take(&runtime, tasks, || ours::repeat_dyn(mediator.clone(), TIMES));
    println!("| `send_dyn` | {:.2} |", ratio(&send_dyn));
}

/// How long so many tasks take from a common start to the end of the last.
fn tasks_take<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    tasks: usize,
    task: impl Fn() -> F,
) -> Duration {
    let start = Arc::new(std::sync::Barrier::new(tasks));
    let spawned: Vec<_> = (0..tasks)
        .map(|_| {
            let (start, task) = (start.clone(), task());
            runtime.spawn(async move {
                start.wait();
                let begun = std::time::Instant::now();
                task.await;
                begun.elapsed()
            })
        })
        .collect();
    spawned.into_iter().map(|task| runtime.block_on(task).expect("it does not panic")).max().unwrap_or_default()
}
