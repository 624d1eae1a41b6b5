use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::Bound;
use super::attempt_log::{AttemptLog, Ended};
use super::event::Event;
use super::outcome::{Outcome, State};
use crate::broker::InboundMessage;
use crate::error::TimedOut;
use crate::panic::{catch_panic, panic_message};
use crate::shown;
use crate::subscription::{Delivery, DeliveryTag};
use crate::{Arrival, BoxError, HandlerFailure, ReceiveError, SendError};

/// So many attempts that never ended make a dead letter.
const CRASHES: u32 = 3;

/// What is handled: a worker takes it along, and gives it back.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) message: Message,
    pub(super) outcomes: Vec<Outcome>,
    /// The attempt log has to know of it before it runs: it may have ended a process.
    pub(super) suspect: bool,
    /// How often in a row the attempt log did not answer.
    pub(super) unlogged: u32,
}

/// How far a message is read.
#[derive(Debug)]
pub(super) enum Message {
    Delivered(Box<Delivery>),
    Arrived(Box<Arrival>),
    /// It cannot be read, or is not for this endpoint.
    Unread,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ran {
    /// The handlers that were to run did; these failed, each with its place.
    Handled(Vec<(usize, HandlerFailure)>),
    /// The program knows no such event.
    Unknown(String),
    /// It cannot be read.
    Undecodable(String),
    /// It was begun too often without an end.
    Poison(u32),
    /// The attempt log did not answer.
    Unlogged(BoxError),
}

impl Work {
    pub(super) fn new(delivery: Delivery, suspect: bool) -> Self {
        Self { message: Message::Delivered(Box::new(delivery)), outcomes: Vec::new(), suspect, unlogged: 0 }
    }

    pub(super) fn message_id(&self) -> Option<Uuid> {
        match &self.message {
            Message::Arrived(arrival) => Some(arrival.meta().message_id()),
            Message::Delivered(_) | Message::Unread => None,
        }
    }
}

/// Runs the handlers of one delivery that are to run now, one after the other.
pub(super) async fn work(bound: Arc<Bound>, tag: DeliveryTag, mut work: Box<Work>, events: UnboundedSender<Event>) {
    let begun = Instant::now();
    let ran = match catch_panic(run(&bound, &mut work, begun, &events)).await {
        Ok(ran) => ran,
        // Handlers' panics are caught below: it is the event that cannot be read.
        Err(panic) => Ran::Undecodable(panic_message(&*panic)),
    };
    // Whoever has gone has forgotten it.
    let _sent = events.send(Event::Worked { tag, work, ran, took: begun.elapsed() });
}

async fn run(bound: &Bound, work: &mut Work, begun: Instant, events: &UnboundedSender<Event>) -> Ran {
    let mut attempt = None;
    let arrival = match std::mem::replace(&mut work.message, Message::Unread) {
        Message::Arrived(arrival) => {
            if let Some(log) = bound.log_for(work) {
                match Attempt::begin(bound, log, arrival.meta().message_id(), events).await {
                    Ok(begun) => attempt = Some(begun),
                    Err(ran) => {
                        work.message = Message::Arrived(arrival);
                        return ran;
                    }
                }
            }
            arrival
        }
        Message::Delivered(delivery) => {
            let message = match read(&delivery) {
                Ok(message) => message,
                Err(error) => return Ran::Undecodable(error),
            };
            let id = message.id;
            if let Some(log) = bound.log_for(work) {
                // The event may be what ends the process: it is not read before it is noted.
                match Attempt::begin(bound, log, id, events).await {
                    Ok(begun) => attempt = Some(begun),
                    Err(ran) => {
                        work.message = Message::Delivered(delivery);
                        return ran;
                    }
                }
            }
            match bound.mediator.arrive(message) {
                Ok(arrival) => {
                    let handlers = bound.handlers.of(arrival.event_type());
                    work.outcomes = handlers.iter().map(|&handler| Outcome::new(handler)).collect();
                    bound.memory().recall(id, &mut work.outcomes, begun);
                    Box::new(arrival)
                }
                Err(error) => {
                    Attempt::end_all(attempt, Ended::Handled).await;
                    return match error {
                        ReceiveError::Unknown { name, .. } => Ran::Unknown(name),
                        other => Ran::Undecodable(shown::text(shown::Chain(&other))),
                    };
                }
            }
        }
        Message::Unread => return Ran::Handled(Vec::new()),
    };
    let mut failures = Vec::new();
    for (place, outcome) in work.outcomes.iter_mut().enumerate().filter(|(_, outcome)| outcome.runs(begun)) {
        match handle(bound, &arrival, outcome).await {
            Ok(()) => outcome.state = State::Done,
            Err(failure) => failures.push((place, failure)),
        }
    }
    work.message = Message::Arrived(arrival);
    Attempt::end_all(attempt, if failures.is_empty() { Ended::Handled } else { Ended::Failed }).await;
    Ran::Handled(failures)
}

async fn handle(bound: &Bound, arrival: &Arrival, outcome: &Outcome) -> Result<(), HandlerFailure> {
    let limit = bound.settings.max_handling;
    timeout(limit, arrival.handle(&outcome.handler)).await.unwrap_or_else(|_| {
        let source = Box::new(TimedOut { limit });
        let error = SendError::Rejected { middleware: "max_handling", source };
        Err(HandlerFailure { id: outcome.handler, handler: outcome.handler.as_str(), error })
    })
}

fn read(delivery: &Delivery) -> Result<InboundMessage, String> {
    let headers = delivery.headers.iter().map(|(name, value)| (&**name, &**value));
    InboundMessage::decode(&delivery.body, delivery.content_type.as_deref(), headers)
        .map_err(|error| shown::text(shown::Chain(&error)))
}

/// A run of which the attempt log knows; if it is dropped, the loop has it noted that the run was cut off.
struct Attempt<'a> {
    bound: &'a Bound,
    log: &'a dyn AttemptLog,
    message: Uuid,
    events: &'a UnboundedSender<Event>,
    ended: bool,
}

const LOG_PATIENCE: Duration = Duration::from_secs(10);

impl<'a> Attempt<'a> {
    async fn begin(
        bound: &'a Bound,
        log: &'a dyn AttemptLog,
        message: Uuid,
        events: &'a UnboundedSender<Event>,
    ) -> Result<Self, Ran> {
        let asked = timeout(LOG_PATIENCE, log.begin(&bound.settings.name, &[message])).await;
        let known = match asked.unwrap_or_else(|_| Err("the attempt log did not answer".into())) {
            Ok(known) => known.first().copied().unwrap_or_default(),
            Err(error) => return Err(Ran::Unlogged(error)),
        };
        let attempt = Self { bound, log, message, events, ended: false };
        if known.unended >= CRASHES {
            Self::end_all(Some(attempt), Ended::Failed).await;
            return Err(Ran::Poison(known.unended));
        }
        Ok(attempt)
    }

    async fn end_all(attempt: Option<Self>, how: Ended) {
        let Some(mut attempt) = attempt else { return };
        attempt.ended = true;
        let ended = [(attempt.message, how)];
        let noting = attempt.log.end(&attempt.bound.settings.name, &ended);
        if let Err(error) = timeout(LOG_PATIENCE, noting).await.unwrap_or_else(|_| Err("it did not answer".into())) {
            tracing::warn!(
                target: "diator",
                endpoint = &*attempt.bound.settings.name,
                error = &*error as &dyn std::error::Error,
                "the attempt log did not note the end of a message, which counts as a crash if it comes again"
            );
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // The loop may be gone too: then nobody knows how it ended.
            let _sent = self.events.send(Event::CutOff(self.message));
        }
    }
}
