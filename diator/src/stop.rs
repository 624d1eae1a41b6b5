//! Tells what runs beside the messages that it should come to its end.

use tokio::sync::watch;
use tokio::time::Instant;

/// Whether somebody should go on; all clones say the same.
#[derive(Clone, Debug)]
pub(crate) struct StopSignal(watch::Receiver<Option<Instant>>);

/// Gives the signal. Dropping it gives the signal too, with no time left.
#[derive(Debug)]
pub(crate) struct Stopper(watch::Sender<Option<Instant>>);

impl Stopper {
    pub(crate) fn new() -> (Self, StopSignal) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), StopSignal(receiver))
    }

    /// Says that it is time to end, and until when that may take.
    pub(crate) fn stop(&self, until: Instant) {
        self.0.send_replace(Some(until));
    }
}

impl StopSignal {
    /// Until when the end may take; `None` as long as there is no end in sight.
    pub(crate) fn until(&self) -> Option<Instant> {
        let asked = *self.0.borrow();
        asked.or_else(|| self.0.has_changed().is_err().then(Instant::now))
    }

    /// Waits for the signal.
    pub(crate) async fn given(&self) {
        let mut signal = self.0.clone();
        // An error says that the stopper is gone, which is the signal as well.
        let _gone = signal.wait_for(Option::is_some).await;
    }
}
