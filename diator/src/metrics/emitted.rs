use ::metrics::counter;

use super::EMITTED;
use crate::EmittedEvent;

/// Counts an event: for [`on_emitted`](crate::MediatorBuilder::on_emitted).
///
/// What it counts stands in the [module's documentation](crate::metrics); what became of the event is for
/// [`MetricsMiddleware`](super::MetricsMiddleware) and [`MetricsBroker`](super::MetricsBroker).
pub fn count_emitted(event: &EmittedEvent) {
    counter!(EMITTED, "kind" => event.kind.as_str(), "message" => event.name).increment(1);
}
