//! Tells what runs beside the messages that it should come to its end.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// Whether somebody should go on; all clones say the same.
#[derive(Clone, Debug)]
pub(crate) struct StopSignal(Arc<Stop>);

/// Gives the signal. Dropping it gives the signal too, with no time left.
#[derive(Debug)]
pub(crate) struct Stopper(Arc<Stop>);

/// A watch channel would wake those who wait in a random order, and a simulation could not repeat a run.
#[derive(Debug, Default)]
struct Stop {
    until: Mutex<Option<Instant>>,
    given: Notify,
}

impl Stop {
    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, until: Instant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        self.given.notify_waiters();
    }
}

impl Stopper {
    pub(crate) fn new() -> (Self, StopSignal) {
        let stop = Arc::<Stop>::default();
        (Self(stop.clone()), StopSignal(stop))
    }

    /// Says that it is time to end, and until when that may take.
    pub(crate) fn stop(&self, until: Instant) {
        self.0.give(until);
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        if self.0.until().is_none() {
            self.0.give(Instant::now());
        }
    }
}

impl StopSignal {
    /// Until when the end may take; `None` as long as there is no end in sight.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.0.until()
    }

    /// Waits for the signal.
    pub(crate) async fn given(&self) {
        let mut given = pin!(self.0.given.notified());
        // A signal that is given from here on is heard.
        given.as_mut().enable();
        if self.until().is_none() {
            given.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc::unbounded_channel;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_hear_of_it_in_their_order_and_those_who_come_later_too() {
        let (stopper, signal) = Stopper::new();
        let (heard, mut all) = unbounded_channel();
        for number in 0..9 {
            let (signal, heard) = (signal.clone(), heard.clone());
            tokio::spawn(async move {
                signal.given().await;
                heard.send(number)
            });
        }
        yield_now().await;
        assert!(signal.until().is_none() && all.is_empty());
        let until = Instant::now() + Duration::from_secs(5);
        stopper.stop(until);
        drop(stopper);
        signal.given().await;
        for number in 0..9 {
            assert_eq!(all.recv().await, Some(number));
        }
        assert_eq!(signal.until(), Some(until));
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_without_a_word_leaves_no_time() {
        let (stopper, signal) = Stopper::new();
        drop(stopper);
        signal.given().await;
        assert_eq!(signal.until(), Some(Instant::now()));
    }
}
