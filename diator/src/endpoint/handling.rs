use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::Bound;
use super::attempt::Attempt;
use super::failure::Failure;
use super::lease::Lease;
use super::outcome::{Outcome, State};
use super::work::{Message, Ran, Work};
use crate::broker::InboundMessage;
use crate::deliveries::{Ended, WHOLE_MESSAGE};
use crate::error::TimedOut;
use crate::inbox::{Entry, Turn};
use crate::middleware::{CommitGate, run_until};
use crate::registry::HandlerId;
use crate::shown;
use crate::subscription::{Delivery, DeliveryTag, Order, Row};
use crate::{HandlerFailure, Handling, ReceiveError, SendError};

/// Reads a delivery, if that was not done, and runs the handlers that are to run now, one after the other.
pub(super) async fn run(
    bound: &Bound,
    tag: DeliveryTag,
    work: &mut Work,
    begun: Instant,
    called_back: impl Future<Output = ()>,
    mut lease: Option<&mut Lease<'_>>,
    noted: &OnceLock<Uuid>,
) -> Ran {
    let _permit = match &bound.store {
        Some(store) => match store.permit(called_back).await {
            Some(permit) => Some(permit),
            None => return Ran::CalledBack,
        },
        None => None,
    };
    if let Message::Delivered(delivery) = &work.message {
        bound.monitor.begins(delivery.received);
    }
    let (message, read) = match &work.message {
        Message::Arrived(arrival) => (arrival.meta().message_id(), None),
        Message::Delivered(delivery) => match read(delivery, work.row.as_deref()) {
            Ok(message) if bound.skips(&message) => return Ran::Handled { ran: 0, failures: Vec::new() },
            Ok(message) => {
                work.made = made(&message);
                (message.id, Some(message))
            }
            Err(error) => return Ran::Undecodable(error),
        },
        Message::Unread => return Ran::Cut,
    };
    // The store keeps one row for each handler of a message, and leases it to one process.
    if !bound.of_rows && !bound.memory().claim(message, tag) {
        return Ran::Twin(message);
    }
    work.claimed = Some(message);
    let known_as = work.known_as().unwrap_or(message);
    if let Some(read) = &read
        && bound.puts().is_some()
    {
        work.name = Some((*read.name).into());
    }
    if let Some(age) = bound.is_too_old(work) {
        return Ran::TooOld(age);
    }
    let mut attempt = None;
    if let Some(log) = bound.log_for(work) {
        work.begun = work.begun.max(bound.memory().begun(known_as));
        // The event may be what ends the process: it is not read before it is noted.
        match Attempt::begin(bound, log, known_as, &mut work.begun, noted).await {
            Ok(begun) => attempt = Some(begun),
            Err(ran) => return ran,
        }
    }
    match read.map(|read| bound.mediator.arrive(read)).transpose() {
        Ok(None) => {}
        Ok(Some(arrival)) => {
            let handlers = bound.handlers.of(arrival.event_type());
            let ours = handlers.iter().filter(|handler| work.row.as_ref().is_none_or(|row| row.is_for(handler)));
            work.outcomes = ours.map(|&handler| Outcome::new(handler)).collect();
            if let Some(row) = work.row.as_ref().filter(|_| work.outcomes.is_empty()) {
                Attempt::end_all(attempt, Ended::Handled).await;
                return Ran::NoHandler(row.handler.to_string());
            }
            // The engine has one number for all handlers; what this process knows of each of them is better.
            work.outcomes.iter_mut().for_each(|outcome| outcome.count_from(work.failures));
            bound.memory().recall(known_as, &mut work.outcomes, begun);
            let delivered = mem::replace(&mut work.message, Message::Arrived(Arc::new(arrival)));
            if let (Message::Delivered(delivery), Some(_)) = (delivered, bound.puts()) {
                work.raw = Some(Box::new(delivery));
            }
        }
        Err(error) => {
            Attempt::end_all(attempt, Ended::Handled).await;
            return match error {
                ReceiveError::Unknown { name, .. } => Ran::Unknown(name),
                // Who reads that it cannot be read need not read it twice.
                ReceiveError::Undecodable { source, .. } => Ran::Undecodable(shown::text(shown::Chain(&source))),
                other => Ran::Undecodable(shown::text(shown::Chain(&other))),
            };
        }
    }
    let Message::Arrived(arrival) = &work.message else { return Ran::Cut };
    let turn = work.raw.as_deref().filter(|_| bound.settings.order == Order::PerKey).and_then(|raw| {
        let key = raw.key.as_deref()?;
        Some(Turn { topic: &raw.topic, key })
    });
    // A row of the whole message is one that no handler has handled, in whatever generation it is.
    let generation = work.row.as_ref().filter(|row| *row.handler != *WHOLE_MESSAGE).map_or(0, |row| row.generation);
    let (mut ran, mut failures, mut is_behind, mut is_lost) = (0, Vec::new(), false, false);
    for (place, outcome) in work.outcomes.iter_mut().enumerate().filter(|(_, outcome)| outcome.runs(begun)) {
        if is_behind {
            outcome.falls_behind();
            continue;
        }
        if let Some(lease) = &mut lease
            && !lease.lasts().await
        {
            is_lost = true;
            break;
        }
        let seen = bound.on_attempt.as_ref().map(|begun| begun(arrival, outcome.handler));
        let (handler, gate) = (outcome.handler, CommitGate::default());
        let mut entry = Entry::new(&bound.settings.name, handler.as_str(), message).with_generation(generation);
        (entry.turn, entry.limit) = (turn, Some(bound.settings.max_handling));
        let call = async {
            match bound.inbox() {
                Some(_) if bound.is_behind_former(turn, handler).await? => Ok(Handling::Behind),
                Some(_) => arrival.handle_entered(&handler, entry, &gate).await,
                None => arrival.handle_until(&handler, &gate).await.map(|()| Handling::Handled),
            }
        };
        let since = bound.monitor.clock();
        let handling = in_time(bound, handler, call, &gate, attempt.as_mut()).await;
        // What the inbox keeps from its handler says nothing of what handlers need.
        ran += usize::from(gate.has_handled());
        let has_run = !matches!(handling, Ok(Handling::Before | Handling::Behind | Handling::Busy));
        is_behind = matches!(handling, Ok(Handling::Behind));
        let ended = match handling {
            Ok(Handling::Handled | Handling::Before | Handling::Behind) => Ok(()),
            Ok(Handling::Busy) => Err(Failure::busy(outcome.handler)),
            Err(failure) => Err(Failure::of(failure, &bound.settings.errors, bound.inbox())),
        };
        if has_run {
            bound.monitor.ran(outcome.handler, since, ended.as_ref().err().map(|failure| failure.kind));
        }
        if let Some(seen) = seen {
            seen(has_run.then(|| ended.as_ref().copied().map_err(|failure| &*failure.text)));
        }
        match ended {
            Ok(()) if is_behind => outcome.falls_behind(),
            Ok(()) => outcome.state = State::Done,
            Err(failure) => failures.push((place, failure)),
        }
        if attempt.as_ref().is_some_and(|attempt| attempt.ended) {
            // The handlers behind one that was cut off begin anew, and are noted anew.
            break;
        }
    }
    work.has_run |= ran > 0;
    Attempt::end_all(attempt, if failures.is_empty() { Ended::Handled } else { Ended::Failed }).await;
    if is_lost && failures.is_empty() { Ran::Cut } else { Ran::Handled { ran, failures } }
}

impl Bound {
    /// Whether rows under a former name of the endpoint hold the key: the inbox looks under the present name alone.
    async fn is_behind_former(&self, turn: Option<Turn<'_>>, handler: HandlerId) -> Result<bool, HandlerFailure> {
        let (Some(store), Some(turn)) = (self.puts(), turn) else { return Ok(false) };
        match store.former_holder(turn).await {
            Ok(former) => Ok(former.is_some()),
            Err(error) => {
                Err(HandlerFailure { id: handler, handler: handler.as_str(), error: SendError::Enter(error) })
            }
        }
    }
}

/// Lets a handler take as long as it may.
async fn in_time(
    bound: &Bound,
    handler: HandlerId,
    call: impl Future<Output = Result<Handling, HandlerFailure>>,
    gate: &CommitGate,
    attempt: Option<&mut Attempt<'_>>,
) -> Result<Handling, HandlerFailure> {
    let limit = bound.settings.max_handling;
    let mut call = pin!(Some(call));
    // Its timer is made when the handler has to wait, and most never do.
    let over = async { sleep(limit).await };
    if let Some(call) = call.as_mut().as_pin_mut()
        && let Some(ended) = run_until(Some(gate), call, over).await
    {
        return ended;
    }
    if let Some(attempt) = attempt {
        // Before it is dropped.
        attempt.end(Ended::CutOff).await;
    }
    // What the handler holds may panic as it goes: that is a part of its failure, and the panic hook has told of it.
    let _told = catch_unwind(AssertUnwindSafe(|| call.set(None)));
    let source = Box::new(TimedOut { limit });
    let error = match gate.has_handled() {
        true => SendError::Rejected { middleware: "max_handling", source },
        // Its database lets nobody in, and may do so for longer than a handler may take.
        false => SendError::Enter(source),
    };
    Err(HandlerFailure { id: handler, handler: handler.as_str(), error })
}

fn read(delivery: &Delivery, row: Option<&Row>) -> Result<InboundMessage, String> {
    if let Some(why) = &delivery.unreadable {
        return Err(shown::text(&**why));
    }
    let headers = delivery.headers.iter().map(|(name, value)| (&**name, &**value));
    let id = || row.map(|row| row.message).or_else(|| delivery.derived_id());
    let mut message = InboundMessage::decode_named(&delivery.body, delivery.content_type.as_deref(), headers, &id)
        .map_err(|error| shown::text(shown::Chain(&error)))?;
    if message.id.is_nil() {
        // The inbox would take all of its sender's messages for one.
        message.id = id().unwrap_or_default();
    }
    Ok(message)
}

/// When a message was made, by the clock of whoever made it: its id tells that, or else its time.
fn made(message: &InboundMessage) -> Option<SystemTime> {
    let of_id = message.id.get_timestamp().and_then(|time| {
        let (seconds, nanos) = time.to_unix();
        SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
    });
    of_id.or(message.timestamp)
}
