use ::metrics::counter;

use super::UNDELIVERED;
use crate::broker::PublishErrorKind;
use crate::{DeliveryFailure, Undelivered};

/// Counts what a committed message could not deliver: for [`on_undelivered`](crate::MediatorBuilder::on_undelivered).
///
/// The [module's documentation](crate::metrics) lists the metric.
pub fn count_undelivered(undelivered: &Undelivered) {
    for failure in undelivered.failures() {
        let (message, what) = match failure {
            DeliveryFailure::Publish { event, source } => match source.kind() {
                PublishErrorKind::Ambiguous => (event.clone(), "ambiguous"),
                _ => (event.clone(), "unsent"),
            },
            DeliveryFailure::AfterCommit { event, .. } => ((*event).to_owned(), "handler"),
            DeliveryFailure::Hook { .. } => (String::new(), "hook"),
        };
        counter!(UNDELIVERED, "message" => message, "what" => what).increment(1);
    }
}
