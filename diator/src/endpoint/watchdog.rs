use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long a source may yield nothing although it should, and the engine may not be heard of.
const DEAF: Duration = Duration::from_secs(60);
const MOST_DOUBLINGS: u32 = 4;

/// How patient an endpoint is with a subscription that yields nothing; it outlives openings.
///
/// Each opening that is given up for it doubles the patience, up to 16 minutes, until something comes: an engine that says wrongly
/// that messages are due does not make the endpoint open anew each minute.
#[derive(Debug, Default)]
pub(super) struct Watchdog(AtomicU32);

impl Watchdog {
    pub(super) fn patience(&self) -> Duration {
        DEAF * (1 << self.0.load(Ordering::Relaxed).min(MOST_DOUBLINGS))
    }

    /// An opening is given up.
    pub(super) fn barks(&self) {
        let doublings = self.0.load(Ordering::Relaxed);
        self.0.store(doublings.saturating_add(1).min(MOST_DOUBLINGS), Ordering::Relaxed);
    }

    /// Something came.
    pub(super) fn is_fed(&self) {
        if self.0.load(Ordering::Relaxed) > 0 {
            self.0.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_it_is_more_patient_until_something_comes() {
        let watchdog = Watchdog::default();
        let minutes = || watchdog.patience().as_secs() / 60;
        let grows: Vec<_> = (0..7).map(|_| (minutes(), watchdog.barks()).0).collect();
        assert_eq!(grows, [1, 2, 4, 8, 16, 16, 16]);
        watchdog.is_fed();
        assert_eq!(minutes(), 1);
    }
}
