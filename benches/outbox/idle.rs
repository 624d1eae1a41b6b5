use diator::relay::Relay;
use diator_benches::machine::processor_ticks;
use tokio::time::{Instant, sleep};

use super::plan::Plan;
use super::servers::{COUNTS_STATEMENTS, broker, postgres, redis};
use super::statements::counted;

/// A relay that has nothing to do.
pub(crate) async fn relay(plan: &Plan) {
    let ((_server, pool, store), (_redis, url)) = (postgres(&COUNTS_STATEMENTS, 4).await, redis());
    let relay = tokio::spawn(Relay::new(store).broker(broker(&url)).run_until(std::future::pending::<()>()));
    // It connects, and prepares its statements.
    sleep(plan.watch / 5).await;
    sqlx::raw_sql("SELECT pg_stat_statements_reset()").execute(&pool).await.expect("it counts");
    let (begun, ticks) = (Instant::now(), processor_ticks());
    sleep(plan.watch).await;
    let (seconds, ticks) = (begun.elapsed().as_secs_f64(), processor_ticks() - ticks);
    let statements = counted(&pool).await / seconds;
    relay.abort();
    println!("\n| idle relay on PostgreSQL | in {seconds:.0} s |\n|---|---:|");
    println!(
        "| statements/s | {statements:.2} |\n| CPU of its process, part of one core | {:.2} % |",
        ticks as f64 / seconds
    );
}
