use std::panic::Location;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::{Instant, sleep};

const REMEDY: &str = "let the test say `#[tokio::test(start_paused = true)]`";

/// Refuses a clock that the test host cannot move.
///
/// # Panics
///
/// If there is none that is paused.
pub(super) fn check(test: &Location<'_>) {
    let flavour = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavour {
        Ok(RuntimeFlavor::CurrentThread) => {}
        Ok(_) => panic!("{test}: a test host needs a runtime of one thread, whose clock can be paused: {REMEDY}"),
        Err(_) => panic!("{test}: a test host needs a tokio runtime: {REMEDY}"),
    }
    assert!(is_paused(), "{test}: a test host needs a paused clock, or its retries would take real time: {REMEDY}");
}

/// Whether tokio's clock stands still while time passes.
fn is_paused() -> bool {
    let (before, real) = (Instant::now(), std::time::Instant::now());
    while real.elapsed() < Duration::from_micros(1) {}
    Instant::now() == before
}

/// Waits until nothing can go on without the clock: it then moves by a millisecond.
pub(super) async fn rest() {
    sleep(Duration::from_millis(1)).await;
}
