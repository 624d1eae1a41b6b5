// Times come from outside.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use super::{Answered, Call, Middleware, Next, TimedOut};
use crate::InvalidConfig;

const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Cancels what takes too long.
///
/// The message is then rolled back, and fails with [`SendError::Rejected`](crate::SendError::Rejected), whose source is
/// a [`TimedOut`]; if it was an event's handler that took too long, that is the source of a
/// [`SendError::Event`](crate::SendError::Event). [`SendError::timed_out`](crate::SendError::timed_out) finds both.
///
/// Added before a [`RetryMiddleware`](super::RetryMiddleware), it limits all attempts together; added after it, each of
/// them, and one that took too long is rolled back and then tried again.
///
/// # Guarantees
///
/// A commit is not cut short: if the limit comes while it runs, or while that runs which follows it, the real outcome
/// is awaited and answered. So it does not limit how long the broker or an `after_commit` handler takes, for which the
/// message's sender waits too: brokers have a deadline of their own.
///
/// # Units
///
/// The limit is more than zero, and at most 24 h. It holds for each message that the middleware applies to: for a nested
/// request and for each event handler on its own too.
///
/// # Panics
///
/// Outside a tokio runtime with time.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use diator::middleware::{MessageKind, Middleware, TimeoutMiddleware};
///
/// let timeout = TimeoutMiddleware::new(Duration::from_secs(5))?.only(|info| info.kind == MessageKind::Command);
/// assert!(TimeoutMiddleware::new(Duration::ZERO).is_err());
/// # let _ = timeout;
/// # Ok::<_, diator::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TimeoutMiddleware {
    limit: Duration,
}

impl TimeoutMiddleware {
    /// Limits how long a message may take.
    ///
    /// # Errors
    ///
    /// The limit is zero, or more than 24 h.
    pub fn new(limit: Duration) -> Result<Self, InvalidConfig> {
        let wrong = limit.is_zero() || limit > LONGEST;
        let problem = wrong.then(|| format!("the limit must be more than zero and at most 24h, and is {limit:?}"));
        InvalidConfig::check("timeout", problem)?;
        Ok(Self { limit })
    }
}

#[async_trait]
impl Middleware for TimeoutMiddleware {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        match next.run_until(call, sleep(self.limit)).await {
            Some(handled) => handled,
            None => call.reject(TimedOut { limit: self.limit }),
        }
    }
}
