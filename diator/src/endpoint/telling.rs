//! What the log, the counts and a test host hear of what becomes of messages.

use std::sync::PoisonError;

use tokio::time::Instant;
use uuid::Uuid;

use super::Bound;
use super::failure::Failure;
use super::step::Step;
use crate::registry::HandlerId;
use crate::shown;
use crate::subscription::DeliveryTag;

/// Names are warned of, each once, as long as there are not more than this: strangers choose them.
const MOST_NAMES: usize = 1_000;
impl Bound {
    /// Counts a message of an unknown name, and warns of the name once.
    pub(super) fn note_unknown(&self, name: &str) {
        self.monitor.count(|health| health.unknown += 1);
        let mut unknown = self.kept.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() < MOST_NAMES && !unknown.contains(name) {
            unknown.insert(name.to_owned());
            drop(unknown);
            tracing::warn!(
                target: "diator",
                { endpoint = &*self.settings.name, diator.message = name },
                "messages of this name arrive, and the program knows no such event"
            );
        }
    }

    pub(super) fn tell_failure(
        &self,
        message: Option<Uuid>,
        failure: &Failure,
        failures: u32,
        step: Step,
        now: Instant,
    ) {
        self.monitor.count(|health| {
            health.failed += 1;
            health.retried += u64::from(matches!(step, Step::Again { .. } | Step::Later(_)));
        });
        if let (Some(decided), Some(message)) = (&self.on_decision, message) {
            decided(message, Some(failure.handler), &step.to_string());
        }
        match step {
            Step::Again { .. } | Step::Later(_) => self.monitor.retries(failure.handler, failure.kind),
            Step::Dead => self.monitor.dead_letter(failure.handler.as_str(), &format_args!("{:?}", failure.kind)),
            _ => {}
        }
        let Failure { handler, kind, text: error, .. } = failure;
        let mut left_out = None;
        if let Step::Again { counted: false, .. } | Step::Pause(_) = step {
            self.monitor.note_uncounted(*handler, error);
            let mut told = self.kept.told.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(since) = told.tell(*handler, *kind, now) else { return };
            left_out = (since > 0).then_some(since);
        }
        let message = message.map(tracing::field::display);
        tracing::warn!(
            target: "diator",
            { endpoint = &*self.settings.name, messaging.message.id = message, %handler, error, failures, then = %step, left_out },
            "a handler failed on a message that arrived"
        );
    }

    /// A handler has not begun, because another transaction handles the message: it is tried again.
    pub(super) fn tell_busy(&self, message: Option<Uuid>, handler: HandlerId, is_first: bool) {
        self.monitor.count(|health| health.busy += 1);
        let (endpoint, message) = (&*self.settings.name, message.map(tracing::field::display));
        let text = "another transaction is handling a message that arrived: it is tried again";
        // What follows says the same, every 20 ms to 30 s.
        if is_first {
            tracing::info!(target: "diator", { endpoint, messaging.message.id = message, %handler }, "{text}");
        } else {
            tracing::debug!(target: "diator", { endpoint, messaging.message.id = message, %handler }, "{text}");
        }
    }

    /// A delivery is acknowledged, and no handler has run, because another one of its message was handled.
    pub(super) fn tell_duplicate(&self, message: Uuid, tag: DeliveryTag) {
        self.monitor.count(|health| health.duplicates += 1);
        tracing::debug!(
            target: "diator",
            { endpoint = &*self.settings.name, messaging.message.id = %message, delivery = tag.0 },
            "a second delivery of a message is acknowledged with the first, whatever it contains"
        );
    }

    pub(super) fn tell_dead(&self, message: Option<Uuid>, reason: &str) {
        self.monitor.count(|health| health.dead += 1);
        let message = message.map(tracing::field::display);
        let kept = self.settings.dead_letters;
        tracing::error!(
            target: "diator",
            { endpoint = &*self.settings.name, messaging.message.id = message, reason = shown::text(reason), kept },
            "a message is a dead letter"
        );
    }
}
