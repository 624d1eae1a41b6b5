use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::{
    ATTEMPTS, BUSY, DEAD_LETTERS, FAILED_CALLS, HANDLING, KEPT, LAG, LOCK_LOST, OK, OLDEST, OVERDUE, PAUSED, QUEUED,
    REFUSED, RETRIES, SETTLED, STAGES, STUCK,
};
use crate::SendErrorKind;
use crate::deliveries::DeliveryStatus;
use crate::endpoint::{EndpointHealth, EndpointState};
use crate::registry::HandlerId;

/// What an endpoint counts and measures, to the recorder that was installed when it was told to.
pub(crate) struct EndpointMetrics {
    endpoint: Arc<str>,
    lag: Gauge,
    oldest: Gauge,
    held: Gauge,
    running: Gauge,
    resting: Gauge,
    settling: Gauge,
    stuck: Gauge,
    paused: Gauge,
    handled: Counter,
    ignored: Counter,
    duplicates: Counter,
    unknown: Counter,
    dead: Counter,
    busy: Counter,
    lock_lost: Counter,
    refused: Counter,
    queued: Histogram,
    waiting: Gauge,
    parked: Gauge,
    dead_letters: Gauge,
    overdue: Gauge,
}

impl fmt::Debug for EndpointMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointMetrics").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl EndpointMetrics {
    pub(crate) fn new(endpoint: Arc<str>) -> Self {
        describe();
        let gauge = |name: &'static str| gauge!(name, "endpoint" => endpoint.clone());
        let stage = |stage: &'static str| gauge!(STAGES, "endpoint" => endpoint.clone(), "stage" => stage);
        let kept = |state: &'static str| gauge!(KEPT, "endpoint" => endpoint.clone(), "state" => state);
        let counter = |name: &'static str| counter!(name, "endpoint" => endpoint.clone());
        let outcome = |outcome: &'static str| counter!(SETTLED, "endpoint" => endpoint.clone(), "outcome" => outcome);
        Self {
            lag: gauge(LAG),
            oldest: gauge(OLDEST),
            held: stage("held"),
            running: stage("running"),
            resting: stage("resting"),
            settling: stage("settling"),
            stuck: gauge(STUCK),
            paused: gauge(PAUSED),
            handled: outcome("handled"),
            ignored: outcome("ignored"),
            duplicates: outcome("duplicate"),
            unknown: outcome("unknown"),
            dead: outcome("dead"),
            busy: counter(BUSY),
            lock_lost: counter(LOCK_LOST),
            refused: counter(REFUSED),
            queued: histogram!(QUEUED, "endpoint" => endpoint.clone()),
            waiting: kept("waiting"),
            parked: kept("parked"),
            dead_letters: kept("dead"),
            overdue: gauge(OVERDUE),
            endpoint,
        }
    }

    pub(crate) fn state(&self, state: EndpointState) {
        let is_paused = matches!(state, EndpointState::Paused | EndpointState::Trial);
        self.paused.set(f64::from(u8::from(is_paused)));
    }

    pub(crate) fn in_hand(&self, held: usize, running: usize, resting: usize, settling: usize) {
        self.held.set(held as f64);
        self.running.set(running as f64);
        self.resting.set(resting as f64);
        self.settling.set(settling as f64);
    }

    pub(crate) fn stuck(&self, time: Duration) {
        self.stuck.set(time.as_secs_f64());
    }

    pub(crate) fn observed(&self, health: &EndpointHealth) {
        if let Some(lag) = health.lag {
            self.lag.set(lag as f64);
        }
        // Where nothing waits, nothing is old.
        if health.oldest_seconds.is_some() || health.lag.is_some() {
            self.oldest.set(health.oldest_seconds.unwrap_or_default());
        }
    }

    pub(crate) fn count(&self, health: &EndpointHealth) {
        self.handled.absolute(health.handled);
        self.ignored.absolute(health.ignored);
        self.duplicates.absolute(health.duplicates);
        self.unknown.absolute(health.unknown);
        self.dead.absolute(health.dead);
        self.busy.absolute(health.busy);
        self.lock_lost.absolute(health.lock_lost);
        self.refused.absolute(health.refused);
    }

    pub(crate) fn kept(&self, status: &DeliveryStatus) {
        self.waiting.set(status.waiting as f64);
        self.parked.set(status.parked as f64);
        self.dead_letters.set(status.dead as f64);
        self.overdue.set(status.overdue_seconds.unwrap_or_default());
    }

    pub(crate) fn queued(&self, time: Duration) {
        self.queued.record(time);
    }

    pub(crate) fn ran(&self, handler: HandlerId, time: Duration, failed: Option<SendErrorKind>) {
        let outcome = failed.map_or(OK, SendErrorKind::as_str);
        let (endpoint, handler) = (&self.endpoint, handler.as_str());
        counter!(ATTEMPTS, "endpoint" => endpoint.clone(), "handler" => handler, "outcome" => outcome).increment(1);
        histogram!(HANDLING, "endpoint" => endpoint.clone(), "handler" => handler).record(time);
    }

    pub(crate) fn retries(&self, handler: HandlerId, kind: SendErrorKind) {
        let (handler, outcome) = (handler.as_str(), kind.as_str());
        counter!(RETRIES, "endpoint" => self.endpoint.clone(), "handler" => handler, "outcome" => outcome).increment(1);
    }

    pub(crate) fn dead_letter(&self, handler: &'static str, kind: &dyn fmt::Display) {
        let kind = kind.to_string();
        counter!(DEAD_LETTERS, "endpoint" => self.endpoint.clone(), "handler" => handler, "kind" => kind).increment(1);
    }

    /// A call to the engine, the store or the attempt log failed.
    pub(crate) fn failed_call(&self, call: &'static str) {
        counter!(FAILED_CALLS, "endpoint" => self.endpoint.clone(), "call" => call).increment(1);
    }
}

fn describe() {
    describe_gauge!(LAG, Unit::Count, "Messages that wait at the engine.");
    describe_gauge!(OLDEST, Unit::Seconds, "How long the oldest message has been waiting at the engine.");
    describe_gauge!(
        STAGES,
        Unit::Count,
        "Messages in hand: all, those being handled, those that wait for another attempt, those that wait for the engine."
    );
    describe_gauge!(
        STUCK,
        Unit::Seconds,
        "For how long the oldest message in hand has been tried again without a count, or has waited for a database."
    );
    describe_gauge!(PAUSED, Unit::Count, "Whether the endpoint pauses: 1 or 0.");
    describe_gauge!(KEPT, Unit::Count, "Deliveries in the store of the endpoint, of all processes.");
    describe_gauge!(OVERDUE, Unit::Seconds, "For how long the delivery that is due longest could have been handled.");
    describe_counter!(SETTLED, Unit::Count, "Messages that the endpoint is done with, by outcome.");
    describe_counter!(ATTEMPTS, Unit::Count, "Attempts of handlers, by outcome.");
    describe_counter!(RETRIES, Unit::Count, "Failures after which a handler was or will be tried again, by outcome.");
    describe_counter!(
        DEAD_LETTERS,
        Unit::Count,
        "Messages that are dead letters for a handler, or for all, by kind of error."
    );
    describe_histogram!(QUEUED, Unit::Seconds, "How long a message was in hand before its handlers began.");
    describe_histogram!(HANDLING, Unit::Seconds, "How long an attempt of a handler took.");
    describe_counter!(BUSY, Unit::Count, "Handlers that could not begin, because another transaction had the message.");
    describe_counter!(LOCK_LOST, Unit::Count, "Deliveries that were no longer the process's own.");
    describe_counter!(REFUSED, Unit::Count, "Verdicts that the engine did not take.");
    describe_counter!(
        FAILED_CALLS,
        Unit::Count,
        "Calls to the engine, the store or the attempt log that failed, by call."
    );
}
