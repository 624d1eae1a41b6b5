use std::time::Duration;

use tokio::time::Instant;

/// The moment that comes so much later; one that no clock can show is now.
pub(super) fn after(moment: Instant, time: Duration) -> Instant {
    moment.checked_add(time).unwrap_or(moment)
}

/// So many parts of six.
pub(super) fn sixths(parts: u32, time: Duration) -> Duration {
    time.checked_div(6).unwrap_or_default().saturating_mul(parts)
}

/// As the server counts.
pub(super) fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
