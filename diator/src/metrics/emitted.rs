use ::metrics::counter;

use super::EMITTED;
use crate::EmittedEvent;

/// Counts an event: for [`on_emitted`](crate::MediatorBuilder::on_emitted).
///
/// The [module's documentation](crate::metrics) lists the metric. [`MetricsMiddleware`](super::MetricsMiddleware) and
/// [`MetricsBroker`](super::MetricsBroker) count how the event was handled and published.
pub fn count_emitted(event: &EmittedEvent) {
    counter!(EMITTED, "kind" => event.kind.as_str(), "message" => event.name).increment(1);
}
