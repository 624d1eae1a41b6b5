use std::fs;

use diator::endpoint::Order;
use diator_benches::machine::processor_ticks;
use futures_util::StreamExt;
use redis::Client;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use super::bookings::{Desk, host};
use super::plan::Plan;
use super::server::Server;

/// Endpoints that have nothing to do.
pub(crate) async fn endpoint(plan: &Plan) {
    println!(
        "\n| idle endpoint | seconds | commands/s sent | commands/s executed, scripts' own among them | CPU of the process, part of one core | its memory, MiB |\n|---|---:|---:|---:|---:|---:|"
    );
    for (name, order) in [("a stream", Order::None), ("8 partitions, in order per key", Order::PerKey)] {
        let server = Server::start();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(host(&server, "desk", &Desk::new(1), 8, order).run_until(stopped));
        // It opens, and settles down.
        sleep(plan.watch / 2).await;
        let (begun, ticks) = (Instant::now(), processor_ticks());
        let (sent, executed) = commands(&server, begun + plan.watch).await;
        let (seconds, ticks) = (begun.elapsed().as_secs_f64(), processor_ticks() - ticks);
        drop(stop);
        running.await.expect("it does not panic").expect("it ends in order");
        println!(
            "| {name} | {seconds:.0} | {:.2} | {:.2} | {:.2} % | {:.1} |",
            sent as f64 / seconds,
            executed as f64 / seconds,
            ticks as f64 / seconds,
            resident()
        );
    }
}

/// How many commands clients have sent until then, and how many the server has executed.
async fn commands(server: &Server, end: Instant) -> (u64, u64) {
    let monitor = Client::open(&*server.url).expect("it is a URL").get_async_monitor().await.expect("it is there");
    let (mut sent, mut executed) = (0, 0);
    let mut lines = monitor.into_on_message::<String>();
    while let Ok(Some(line)) = timeout_at(end, lines.next()).await {
        executed += 1;
        if !line.contains(" lua] ") {
            sent += 1;
        }
    }
    (sent, executed)
}

fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has one");
    line.split_whitespace().nth(1).expect("it has a value").parse::<f64>().expect("it is a number") / 1024.0
}
