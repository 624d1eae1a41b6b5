use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use diator::subscription::ConsumeError;
use tokio::time::sleep;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// How often in a row the server could not be read from: pauses grow, and one outage is told once.
pub(super) struct Outage {
    pause: Duration,
    is_told: bool,
}

impl Outage {
    pub(super) const fn new() -> Self {
        Self { pause: FIRST, is_told: false }
    }

    /// Tells of it, and waits before the next attempt.
    pub(super) async fn goes_on(&mut self, endpoint: &str, error: &ConsumeError) {
        if !self.is_told {
            self.is_told = true;
            tracing::warn!(target: "diator", endpoint, error = error as &dyn std::error::Error, "the streams cannot be read");
        }
        // Between a half and the whole of it, so that processes do not come back all at once.
        let share = f64::from(u8::try_from(RandomState::new().hash_one(0) & 0xff).unwrap_or_default()) / 255.0;
        sleep(self.pause.mul_f64(share.mul_add(0.5, 0.5))).await;
        self.pause = self.pause.saturating_mul(2).min(LONGEST);
    }

    /// A read was answered.
    pub(super) fn ends(&mut self, endpoint: &str) {
        if self.is_told {
            tracing::info!(target: "diator", endpoint, "the streams can be read again");
        }
        *self = Self::new();
    }
}
