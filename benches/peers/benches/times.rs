//! How long each contender takes; see `docs/benchmarks.md`.

use diator_peers::{tables, two_tasks};
use tokio::runtime::Builder;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let turns = if quick { 21 } else { 501 };
    let runtime = Builder::new_current_thread().build().expect("there is a runtime");
    for table in tables(&runtime) {
        table.print_times(&runtime, turns);
    }
    println!("\nMedians of {turns} turns; the ratio is to the first line, each from one turn.");
    two_tasks((turns / 10).max(21));
}
