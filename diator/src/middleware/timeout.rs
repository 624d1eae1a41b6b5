// Times come from outside.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use super::{Answered, Call, Middleware, Next, TimedOut};
use crate::InvalidConfig;

const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Cancels messages that take too long.
///
/// A cancelled message is rolled back, and fails with [`SendError::Rejected`](crate::SendError::Rejected), whose source
/// is a [`TimedOut`]. If a handler of an event took too long, the [`TimedOut`] is in the source of a
/// [`SendError::Event`](crate::SendError::Event). [`SendError::timed_out`](crate::SendError::timed_out) finds both.
///
/// Added before a [`RetryMiddleware`](super::RetryMiddleware), it limits all attempts together. Added after it, it
/// limits each attempt: an attempt that takes too long is rolled back and then retried.
///
/// # Guarantees
///
/// It does not cut a commit short: if the limit passes during the commit, or during what follows the commit, the sender
/// gets the real outcome. So it does not limit the broker or an `after_commit` handler, although the sender waits for
/// them too: brokers have a deadline of their own.
///
/// # Units
///
/// The limit must be more than zero, and at most 24 h. It holds for each message that the middleware applies to, and
/// separately for each nested request and each event handler.
///
/// # Panics
///
/// If it runs outside a tokio runtime with a timer.
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
