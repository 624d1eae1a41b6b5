//! How often each contender allocates, and how large the futures are; a program of its own, since counting takes time.

use diator_peers::{sizes, tables};
use tokio::runtime::Builder;

fn main() {
    let runtime = Builder::new_current_thread().build().expect("there is a runtime");
    for table in tables(&runtime) {
        table.print_allocations(&runtime, |work| allocation_counter::measure(work).count_total);
    }
    sizes();
}
