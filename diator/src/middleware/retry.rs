// Times come from outside.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::error::Error;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::{Answered, Call, MessageInfo, Middleware, Next, RetryPolicy};
use crate::error::timed_out;
use crate::{InvalidConfig, Request, SendError, SendErrorKind};

/// Retries an idempotent request that failed for a transient reason.
///
/// By itself it retries only if the scope could not be opened or could not commit, or if the attempt, or a handler of
/// an event in it, has [`TimedOut`](super::TimedOut): a program that adds a
/// [`TimeoutMiddleware`](super::TimeoutMiddleware) after the retry asks for that. With [`when`](Self::when) and
/// [`when_any`](Self::when_any) the program names the handlers' errors that are worth another attempt.
///
/// # Guarantees
///
/// - It retries only requests that are marked `#[request(idempotent)]` and come from outside: a nested request shares
///   the unit of work of its root, which is retried as a whole.
/// - It never retries a committed message, or a failure that another attempt cannot change: a message that was rejected
///   for a reason other than a time-out, or that has no handler here, an event that cannot be written, a cascade
///   without end.
/// - Each attempt has a scope and events of its own, and begins when the previous attempt is rolled back, also after a
///   time-out. The sender gets the outcome of the last attempt.
/// - The waits are those of the [`RetryPolicy`]. No attempt begins after its `give_up_after`; an attempt that has begun
///   is not cut off.
/// - Before it waits, it logs a `WARN` with the target `diator`: the message, the number of the next attempt, the wait,
///   and the error of the previous attempt.
///
/// # Panics
///
/// If it has to wait outside a tokio runtime with a timer.
///
/// # Example
///
/// ```
/// use diator::SendError;
/// use diator::middleware::{RetryMiddleware, RetryPolicy};
/// use diator::prelude::*;
///
/// #[derive(Clone, Debug, Command)]
/// #[request(error = std::io::Error, idempotent)]
/// struct ReserveSeat;
///
/// let retry = RetryMiddleware::new(RetryPolicy::new().attempts(3))?
///     .when::<ReserveSeat>(|error| matches!(error, SendError::Handler(io) if io.kind() == std::io::ErrorKind::TimedOut))
///     .when_any(|error| error.to_string().contains("deadlock"));
/// # let _ = retry;
/// # Ok::<_, diator::BoxError>(())
/// ```
pub struct RetryMiddleware {
    policy: RetryPolicy,
    rules: Vec<Rule>,
}

/// Whether what failed is worth another attempt.
type Rule = Box<dyn Fn(&Call<'_>) -> bool + Send + Sync>;

impl RetryMiddleware {
    /// Retries as the policy says.
    ///
    /// # Errors
    ///
    /// One report lists every problem of the policy.
    pub fn new(policy: RetryPolicy) -> Result<Self, InvalidConfig> {
        policy.validate()?;
        Ok(Self { policy, rules: Vec::new() })
    }

    /// Also retries `R` after an error for which `holds` is true.
    ///
    /// The call does not build for a request that is not marked `#[request(idempotent)]`: such a request has one
    /// attempt, whatever this call says. `cargo check` does not see it.
    ///
    /// ```compile_fail,E0080
    /// use diator::middleware::{RetryMiddleware, RetryPolicy};
    /// use diator::prelude::*;
    ///
    /// #[derive(Command)]
    /// struct ReserveSeat;
    ///
    /// let retry = RetryMiddleware::new(RetryPolicy::new())?.when::<ReserveSeat>(|_| true);
    /// # Ok::<_, diator::BoxError>(())
    /// ```
    #[must_use]
    pub fn when<R: Request>(self, holds: impl Fn(&SendError<R::Error>) -> bool + Send + Sync + 'static) -> Self {
        const { assert!(R::IDEMPOTENT, "only what is marked `#[request(idempotent)]` is tried again") }
        self.rule(move |call| call.reply::<R>().is_some_and(|reply| reply.as_ref().is_err_and(&holds)))
    }

    /// Also retries every idempotent request after an error for which `holds` is true.
    ///
    /// `holds` gets the request's [`SendError`]. The [`source`](Error::source) of that is the error of a container or
    /// an outbox. A handler's error is not the source: it is in the variant [`Handler`](SendError::Handler), and
    /// `holds` recognises it by the text of the whole error, or by the type in `#[request(error = …)]`.
    ///
    /// # Example
    ///
    /// ```
    /// use diator::SendError;
    /// use diator::middleware::{RetryMiddleware, RetryPolicy};
    ///
    /// #[derive(Debug)]
    /// struct Busy;
    /// # impl std::fmt::Display for Busy {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("busy") }
    /// # }
    ///
    /// fn is_busy(error: &(dyn std::error::Error + 'static)) -> bool {
    ///     matches!(error.downcast_ref::<SendError<Busy>>(), Some(SendError::Handler(Busy)))
    /// }
    ///
    /// let retry = RetryMiddleware::new(RetryPolicy::new())?.when_any(is_busy);
    /// assert!(is_busy(&SendError::Handler(Busy)));
    /// assert!(!is_busy(&SendError::<Busy>::RolledBack));
    /// # let _ = retry;
    /// # Ok::<_, diator::BoxError>(())
    /// ```
    #[must_use]
    pub fn when_any(self, holds: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static) -> Self {
        self.rule(move |call| call.error().is_some_and(&holds))
    }

    fn rule(mut self, rule: impl Fn(&Call<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.rules.push(Box::new(rule));
        self
    }

    /// How long to wait for another attempt; `None` if this one has the last word.
    fn wait(&self, call: &Call<'_>, number: u32, begun: Instant) -> Option<Duration> {
        use SendErrorKind::{Commit, Event, Handler, Resolve, RolledBack, Scope, Stage, TimedOut};
        let again = match call.error_kind()? {
            Scope | Commit | TimedOut => true,
            Event if call.error().and_then(timed_out).is_some() => true,
            Handler | Event | Resolve | Stage | RolledBack => self.rules.iter().any(|holds| holds(call)),
            _ => false,
        };
        again.then(|| self.policy.wait(Duration::ZERO, number, begun))?
    }
}

fn tell(call: &Call<'_>, attempt: u32, wait: Duration) {
    let message = call.info().message;
    tracing::warn!(target: "diator", attempt, diator.message = message, ?wait, error = call.error(), "trying again");
}

#[async_trait]
impl Middleware for RetryMiddleware {
    fn applies_to(&self, info: &MessageInfo) -> bool {
        info.idempotent
    }

    async fn handle(&self, call: &mut Call<'_>, mut next: Next<'_>) -> Answered {
        let kept = if call.is_from_outside() { call.clone_request() } else { None };
        let Some(kept) = kept else { return next.run(call).await };
        let begun = Instant::now();
        let mut number = 1;
        loop {
            let handled = next.retry(call, &kept).await;
            let Some(wait) = self.wait(call, number, begun) else { return handled };
            number = number.saturating_add(1);
            tell(call, number, wait);
            sleep(wait).await;
        }
    }
}

impl fmt::Debug for RetryMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryMiddleware").field("policy", &self.policy).finish_non_exhaustive()
    }
}
