use std::thread;
use std::time::Instant;

use ::metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use async_trait::async_trait;

use super::{EMITTED, EXPECTED, MESSAGE_DURATION, MESSAGES, OK, UNDELIVERED};
use crate::SendErrorKind;
use crate::middleware::{Answered, Call, MessageInfo, Middleware, Next};

/// Counts handled messages by outcome, and measures how long their handling takes.
///
/// Add it first, so that it measures the other middleware too. The [module's documentation](crate::metrics) lists its
/// metrics; [`MetricsBroker`](super::MetricsBroker) counts published messages.
///
/// # Guarantees
///
/// Each message is counted once, also one that panics or whose sender gives up.
///
/// # Example
///
/// ```
/// use diator::metrics::{MetricsBroker, MetricsMiddleware};
/// use diator::prelude::*;
///
/// # #[derive(Command)] struct Nothing;
/// # #[request_handler(Nothing)] struct Handle;
/// # impl RequestHandler<Nothing> for Handle {
/// #     async fn handle(&self, _: Nothing, _: &mut RequestContext<'_, Nothing>) -> Result<(), BoxError> { Ok(()) }
/// # }
/// let mediator = Mediator::builder()
///     .middleware(MetricsMiddleware::new())
///     .broker(MetricsBroker::new(InMemoryBroker::new()))
/// #   .handlers(handlers![Handle])
///     .build()?;
/// # Ok::<(), diator::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MetricsMiddleware(());

impl MetricsMiddleware {
    /// Describes its metrics, and those of [`count_emitted`](super::count_emitted) and
    /// [`count_undelivered`](super::count_undelivered), to the recorder that is installed now.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it has an effect")]
    pub fn new() -> Self {
        describe_counter!(MESSAGES, Unit::Count, "Messages that were handled, by outcome.");
        describe_counter!(EMITTED, Unit::Count, "Events that handlers emitted, by name.");
        describe_counter!(UNDELIVERED, Unit::Count, "What committed messages could not deliver.");
        describe_histogram!(MESSAGE_DURATION, Unit::Seconds, "How long it took to handle a message.");
        Self(())
    }
}

#[async_trait]
impl Middleware for MetricsMiddleware {
    async fn handle(&self, call: &mut Call<'_>, next: Next<'_>) -> Answered {
        let mut measured = Measured::begin(call.info());
        let handled = next.run(call).await;
        measured.outcome = match call.error_kind() {
            Some(_) if call.is_expected() => EXPECTED,
            failed => failed.map_or(OK, SendErrorKind::as_str),
        };
        handled
    }
}

/// A message that is being handled; dropping it counts it.
struct Measured {
    labels: [(&'static str, &'static str); 3],
    begun: Instant,
    outcome: &'static str,
}

impl Measured {
    fn begin(info: &MessageInfo) -> Self {
        let labels = [("kind", info.kind.as_str()), ("message", info.message), ("handler", info.handler)];
        Self { labels, begun: Instant::now(), outcome: "cancelled" }
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let outcome = if thread::panicking() { "panicked" } else { self.outcome };
        let [kind, message, handler] = self.labels;
        counter!(MESSAGES, &[kind, message, handler, ("outcome", outcome)]).increment(1);
        histogram!(MESSAGE_DURATION, &self.labels).record(self.begun.elapsed());
    }
}
